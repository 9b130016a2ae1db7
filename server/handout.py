"""Hands verified bytes out, whole or a range. Who may have them is decided before."""

from flask import Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Request
from werkzeug.wsgi import wrap_file

from server.media.engine import Media
from server.media.queries import Held

SANDBOX = "default-src 'none'; sandbox"


def hand_out(request: Request, media: Media, held: Held, *, type_: str, name: str) -> Response:
    """The bytes of ``held``, so that no browser ever takes them for a page of ours."""
    store = media.pictures if held.derived else media.originals
    file = store.open_range(held.sha256)
    answer = Response(wrap_file(request.environ, file), direct_passthrough=True)
    answer.mimetype = "image/jpeg" if held.derived else type_
    answer.content_length = held.bytes
    answer.set_etag(held.sha256)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Content-Security-Policy"] = SANDBOX
    if not held.derived:
        answer.headers.set("Content-Disposition", "attachment", filename=name)
    answer.call_on_close(file.close)
    try:
        answer.make_conditional(request, accept_ranges=True, complete_length=held.bytes)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    return answer
