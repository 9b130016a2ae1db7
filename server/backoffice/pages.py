"""Lists every page of the office and hooks the room up; nothing else."""

from pathlib import Path
from typing import NoReturn

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_babel import Babel

from server.backoffice import (
    assets,
    decisions,
    door,
    handling,
    languages,
    links,
    matches,
    penalties,
    photos,
    queue,
    record,
    settling,
)
from server.backoffice.assets import asset
from server.backoffice.blueprint import blueprint, csrf
from server.backoffice.decisions import last_decision
from server.backoffice.door import REVIEWER, public
from server.errors import LANGUAGES, Problem
from server.services import Services

TRANSLATIONS = Path(__file__).with_name("translations")
PAGES = (
    assets, decisions, door, handling, links, matches, penalties, photos, queue, record, settling,
)  # fmt: skip
"""Importing a page puts its views on the blueprint."""


@blueprint.get("/<path:_rest>")
@public
def unknown(_rest: str) -> NoReturn:
    """Any other address of the office."""
    raise Problem("not_found")


@blueprint.context_processor
def _for_templates() -> dict[str, object]:
    return {
        "asset": asset,
        "language": languages.language(),
        "languages": LANGUAGES,
        "principal": request.environ.get(REVIEWER),
        "decided": last_decision(),
    }


class PageSessions(SecureCookieSessionInterface):
    """Sessions in a cookie, for pages: the JSON surface carries tokens and has none to read."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of a request for a page."""
        return None if request.path.startswith("/v1/") else super().open_session(app, request)


def install(app: Flask) -> None:
    """Puts the office under ``/office/`` of ``app``."""
    services: Services = app.extensions["fieldstamp"]
    secure = services.settings.secure_cookies
    app.config.update(
        SESSION_COOKIE_NAME="__Host-fieldstamp" if secure else "fieldstamp",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_CHECK_DEFAULT=False,  # the JSON surface carries tokens, not cookies
        WTF_CSRF_TIME_LIMIT=None,  # a form that is filled in slowly stays good
        BABEL_TRANSLATION_DIRECTORIES=str(TRANSLATIONS),
    )
    app.session_interface = PageSessions()
    csrf.init_app(app)
    Babel(app, locale_selector=languages.locale)
    app.register_blueprint(blueprint)
