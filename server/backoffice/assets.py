"""The pages' own files under addresses that change with their content, so they may be kept."""

import hashlib
from functools import cache
from pathlib import Path

from flask import send_from_directory, url_for
from werkzeug.wrappers import Response

from server.backoffice.blueprint import blueprint
from server.backoffice.door import public
from server.errors import Problem

FOLDER = Path(__file__).with_name("static")
YEAR_SECONDS = 365 * 24 * 3600


@cache
def _mark(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file in ``static/``."""
    return url_for("office.static_file", mark=_mark(name), name=name)


@blueprint.get("/static/<mark>/<name>")
@public
def static_file(mark: str, name: str) -> Response:
    """A file of the pages; an old mark answers with the new file, which is then not kept."""
    if not (FOLDER / name).is_file():
        raise Problem("not_found")
    kept = YEAR_SECONDS if mark == _mark(name) else None
    answer = send_from_directory(FOLDER, name, max_age=kept)
    answer.cache_control.immutable = kept is not None
    return answer
