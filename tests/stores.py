"""What tests do to the file of a SQLite store behind its server's back."""

import shutil
from pathlib import Path

from flask import Flask
from sqlalchemy.engine import make_url

from server.app import open_store
from server.db import copy_sqlite
from server.extensions import db
from server.services import Services
from server.settings import Settings


def settings_of(app: Flask) -> Settings:
    """The settings of ``app``."""
    services: Services = app.extensions["fieldstamp"]
    return services.settings


def file_of(app: Flask) -> Path:
    """The file of the store."""
    return Path(make_url(settings_of(app).database_url()).database or "")


def journal_of(app: Flask) -> Path:
    """The journal beside it."""
    return settings_of(app).data / "journal.jsonl"


def copy_of(app: Flask, name: str) -> Path:
    """A copy of the store as it is now."""
    copy = file_of(app).with_name(name)
    copy_sqlite(file_of(app), copy)
    return copy


def close(app: Flask) -> None:
    """Lets go of the store; called within an application context."""
    db.session.remove()
    db.engine.dispose()


def put_back(app: Flask, copy: Path) -> None:
    """Puts an older copy in the place of the store, as a person with `cp` does."""
    close(app)
    file = file_of(app)
    for leftover in ("-wal", "-shm"):
        file.with_name(file.name + leftover).unlink(missing_ok=True)
    shutil.copy(copy, file)


def start_again(app: Flask) -> None:
    """What happens to the store before a server answers."""
    close(app)
    open_store(app)
