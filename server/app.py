"""``create_app``: the only wiring."""

from flask import Flask

from server import policy, tables
from server.api import access, blueprints, headers, problem
from server.clock import Clock, SystemClock
from server.db import database_url, engine_options, prepare
from server.extensions import db, jwt
from server.ids import IdMaker
from server.services import Services
from server.settings import Settings, load, secret_key, server_key


def create_app(
    settings: Settings | None = None, *, clock: Clock | None = None, ids: IdMaker | None = None
) -> Flask:
    """A server for ``settings`` (default: from the environment); tests bring clock and ids."""
    settings = settings or load()
    clock = clock or SystemClock()
    services = Services(
        settings=settings,
        policy=policy.load(settings.policy),
        clock=clock,
        ids=ids or IdMaker(clock),
        secret=secret_key(settings),
        key=server_key(settings),
    )
    app = Flask("server", static_folder=None)
    app.extensions["fieldstamp"] = services
    app.config.update(_configuration(services))
    access.configure(app)
    problem.install(app)
    headers.install(app)
    db.init_app(app)
    jwt.init_app(app)
    with app.app_context():
        prepare(db.engine)
    blueprints.install(app)
    return app


def _configuration(services: Services) -> dict[str, object]:
    """What the libraries read from ``app.config``."""
    url = database_url(services.settings.database_url())
    return {
        "SECRET_KEY": services.secret,
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url),
        "TRUSTED_HOSTS": None,
    }


__all__ = ["create_app", "tables"]
