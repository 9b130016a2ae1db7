"""Which problem an exception stands for, whoever has to answer for it. Renders nothing."""

from collections.abc import Iterator, Mapping

from marshmallow import ValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from server.db import Fault
from server.errors import FIELD_WORDS, Problem

BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "unavailable",
    413: "too_large",
    415: "unsupported_media",
    416: "range_not_satisfiable",
    422: "validation",
    429: "too_many",
    503: "unavailable",
    507: "disk_full",
}


def field_codes(messages: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Flattens marshmallow's messages to (``device.id``, key of ``errors.FIELD_WORDS``)."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            below = path if name in {"_schema", "json"} else f"{path}.{name}".lstrip(".")
            yield from field_codes(inner, below)
        return
    first = messages[0] if isinstance(messages, list) and messages else messages
    known = isinstance(first, str) and first.partition(":")[0] in FIELD_WORDS
    yield path or "body", str(first) if known else "format"


def to_problem(error: Exception) -> Problem:
    """The problem that ``error`` stands for; what nobody foresaw is ``internal``."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return Problem("validation", fields=dict(field_codes(error.messages)))
    if isinstance(error, HTTPException):
        return Problem(BY_STATUS.get(error.code or 500, "internal"))
    if isinstance(error, (Fault, OperationalError, PoolTimeoutError)):
        # Lock, deadlock, full disk, lost server: nothing was stored, the same request may come.
        return Problem("unavailable")
    return Problem("internal")
