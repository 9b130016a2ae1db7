"""Lists every blueprint of the JSON surface; nothing else."""

from flask import Flask

from server.api import auth, health, media, sync
from server.api.openapi import CONFIGURATION, Surface


def install(app: Flask) -> None:
    """Registers all blueprints on ``app``."""
    app.config.update(CONFIGURATION)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(media.blueprint)
    surface = Surface(app)
    for blueprint in (auth.blueprint, sync.blueprint):
        surface.register_blueprint(blueprint)
