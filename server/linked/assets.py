"""The pages' own files, all under one address that changes with any of them, so they may be kept.

Scripts name each other by their place in the same folder.
"""

import hashlib
from functools import cache
from pathlib import Path

from flask import send_from_directory, url_for
from werkzeug.wrappers import Response

from server.api.access import public
from server.errors import Problem
from server.linked.blueprint import blueprint

FOLDER = Path(__file__).with_name("static")
YEAR_SECONDS = 365 * 24 * 3600


@cache
def _mark() -> str:
    """Changes when any file does."""
    files = sorted(path for path in FOLDER.iterdir() if path.is_file())
    content = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file in ``static/``."""
    return url_for("linked.static_file", mark=_mark(), name=name)


@blueprint.get("/link-files/<mark>/<name>")
@public
def static_file(mark: str, name: str) -> Response:
    """A file of the pages; an old mark answers with the new file, which is then not kept."""
    if not (FOLDER / name).is_file():
        raise Problem("not_found")
    kept = YEAR_SECONDS if mark == _mark() else None
    answer = send_from_directory(FOLDER, name, max_age=kept)
    answer.cache_control.immutable = kept is not None
    return answer
