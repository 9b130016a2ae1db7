"""Whether the process lives and whether it can do its work. No names of files or hosts."""

import os
import tempfile
from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from server import migration
from server.api.access import public
from server.db import transaction
from server.extensions import db
from server.services import services

blueprint = Blueprint("health", __name__)


def _store() -> str | None:
    with transaction(db.session()):
        db.session.execute(text("UPDATE alembic_version SET version_num = version_num"))
    return None


def _schema() -> str | None:
    return None if migration.is_current(db.engine) else "the schema is not the newest"


def _blobs() -> str | None:
    folder = services().settings.data / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"ready")
        os.fsync(file.fileno())
    return None


CHECKS: dict[str, Callable[[], str | None]] = {
    "schema": _schema,
    "store": _store,
    "blobs": _blobs,
}


def _reason(check: Callable[[], str | None]) -> str:
    try:
        return check() or "ok"
    except Exception as error:
        return type(error).__name__


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """Each check with ``ok`` or what is wrong; 503 unless all are ``ok``."""
    checks = {name: _reason(check) for name, check in CHECKS.items()}
    ready = set(checks.values()) == {"ok"}
    return jsonify(status="ok" if ready else "unready", checks=checks), 200 if ready else 503
