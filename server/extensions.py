"""Flask-SQLAlchemy, which owns the one engine and session, and the JWT library. No rules."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy

from server.db import Base, database_url, engine_options, prepare
from server.settings import Settings

db = SQLAlchemy(metadata=Base.metadata)
jwt = JWTManager()


def configuration(settings: Settings, secret: str) -> dict[str, object]:
    """What Flask and the extensions read from ``app.config``."""
    url = database_url(settings.database_url())
    return {
        "SECRET_KEY": secret,
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url),
    }


def install(app: Flask) -> None:
    """Hooks the extensions up, and what each database needs, on the engine of this ``app``."""
    # No view is a coroutine, and the question costs every request; Flask says so of a method only.
    app.ensure_sync = _as_it_is  # type: ignore[method-assign, assignment]
    db.init_app(app)
    jwt.init_app(app)
    with app.app_context():
        prepare(db.engine)


def _as_it_is(view: Callable[..., Any]) -> Callable[..., Any]:
    """No view and no hook here is a coroutine; Flask would look for one nine times a request."""
    return view
