"""Hands verified bytes out, whole or a range, or by a link. Who may have them is decided before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Response
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Request
from werkzeug.wsgi import wrap_file

from server.errors import Problem
from server.media.engine import Media
from server.media.queries import Held

SANDBOX = "default-src 'none'; sandbox"
SALT = "fieldstamp-link-1"
LINK_LIFETIME = timedelta(seconds=60)
WITH_BYTES = frozenset({200, 206})


def hand_out(request: Request, media: Media, held: Held, *, type_: str, name: str) -> Response:
    """The bytes of ``held``, so that no browser ever takes them for a page of ours.

    *Raises* ``not_found`` where the store has lost them, ``unavailable`` where it is out of reach.
    """
    answer = Response()
    answer.mimetype = "image/jpeg" if held.derived else type_
    answer.content_length = held.bytes
    answer.set_etag(held.sha256)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Content-Security-Policy"] = SANDBOX
    if not held.derived:
        answer.headers.set("Content-Disposition", "attachment", filename=name)
    answer.make_conditional(request, accept_ranges=True, complete_length=held.bytes)
    if answer.status_code in WITH_BYTES and request.method != "HEAD":
        _fill(request, media, held, answer)
    return answer


def _fill(request: Request, media: Media, held: Held, answer: Response) -> None:
    """Only what is asked for is read from the store."""
    store = media.pictures if held.derived else media.originals
    part = answer.content_range
    start, stop = (part.start or 0, part.stop) if part.units else (0, None)
    try:
        file = store.open_range(held.sha256, start, stop)
    except FileNotFoundError as error:
        raise Problem("not_found") from error
    except OSError as error:
        raise Problem("unavailable") from error
    answer.response = wrap_file(request.environ, file)
    answer.direct_passthrough = True
    answer.call_on_close(file.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One object, the type and name to hand it out as, and until when anybody may fetch it."""

    held: Held
    type: str
    name: str
    until: datetime

    def write(self, secrets: Sequence[str]) -> str:
        """The link's text, signed with the newest of ``secrets``."""
        held = self.held
        fields = [held.sha256, held.bytes, held.derived, self.type, self.name]
        return _serializer(secrets).dumps([*fields, self.until.timestamp()])


def read_link(secrets: Sequence[str], text: str, now: datetime) -> Link:
    """The link in ``text``. *Raises* ``not_found`` for one that is over or not of this server."""
    try:
        fields: Any = _serializer(secrets).loads(text)
        sha256, size, derived, type_, name, until = fields
    except (BadSignature, ValueError, TypeError) as error:
        raise Problem("not_found") from error
    if now.timestamp() >= until:
        raise Problem("not_found")
    held = Held(sha256=sha256, bytes=size, derived=derived)
    return Link(held=held, type=type_, name=name, until=datetime.fromtimestamp(until, now.tzinfo))


def _serializer(secrets: Sequence[str]) -> URLSafeSerializer:
    return URLSafeSerializer(list(reversed(secrets)), salt=SALT)
