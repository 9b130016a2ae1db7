"""Lists every blueprint of the JSON surface; nothing else."""

from flask import Flask

from server.api import auth, docs, events, health, media, sync, uploads
from server.api.openapi import CONFIGURATION, Surface


def install(app: Flask) -> None:
    """Registers all blueprints on ``app``."""
    app.config.update(CONFIGURATION)
    for plain in (health, docs, media, uploads, events):
        app.register_blueprint(plain.blueprint)
    surface = Surface(app)
    for blueprint in (auth.blueprint, sync.blueprint):
        surface.register_blueprint(blueprint)
    surface.complete(app)
