"""Lists every blueprint of the JSON surface; nothing else."""

from flask import Flask

from server.api import auth, docs, health, media, sync, uploads
from server.api.openapi import CONFIGURATION, Surface


def install(app: Flask) -> None:
    """Registers all blueprints on ``app``."""
    app.config.update(CONFIGURATION)
    for plain in (health.blueprint, docs.blueprint, media.blueprint, uploads.blueprint):
        app.register_blueprint(plain)
    surface = Surface(app)
    for blueprint in (auth.blueprint, sync.blueprint):
        surface.register_blueprint(blueprint)
    surface.complete(app)
