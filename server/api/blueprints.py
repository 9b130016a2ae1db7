"""Lists every blueprint of the JSON surface; nothing else."""

from flask import Flask

from server.api import health


def install(app: Flask) -> None:
    """Registers all blueprints on ``app``."""
    app.register_blueprint(health.blueprint)
