"""Which language a page speaks: what the person chose, else the browser's, else the office's."""

from flask import request, session

from server.errors import LANGUAGES
from server.services import services

CHOSEN = "language"


def language() -> str:
    """The language of this page, one of ``errors.LANGUAGES``."""
    chosen = session.get(CHOSEN)
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(LANGUAGES) or services().settings.language


def locale() -> str:
    """The same as the name of a folder of translations."""
    return language().partition("-")[0]


def choose(wanted: str) -> None:
    """Remembers the choice for this browser session; an unknown language changes nothing."""
    if wanted in LANGUAGES:
        session[CHOSEN] = wanted
