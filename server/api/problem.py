"""The ONE error handler: whatever went wrong becomes ``application/problem+json`` (RFC 9457)."""

from collections.abc import Iterator, Mapping

import orjson
import structlog
from flask import Flask, Response, g, request
from marshmallow import ValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from server.errors import CODES, FIELD_WORDS, LANGUAGES, Problem, describe
from server.services import services

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
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
}

log = structlog.get_logger()


def language() -> str:
    """The language of this request's answer: what it accepts, else the installation's."""
    accepted = request.accept_languages.best_match(LANGUAGES)
    return accepted or services().settings.language


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
    if isinstance(error, (OperationalError, PoolTimeoutError)):
        # Lock, deadlock, full disk, lost server: nothing was stored, the same request may come.
        return Problem("unavailable")
    return Problem("internal")


def render(problem: Problem) -> Response:
    """The answer for ``problem``, in the language of this request."""
    body: dict[str, object] = {"type": f"/docs/problems#{problem.code}"}
    body |= describe(problem.code, language(), problem.fields)
    if problem.detail:
        body["detail"] = problem.detail
    body["request_id"] = g.get("request_id", "")
    body |= problem.extra
    answer = Response(orjson.dumps(body), status=CODES[problem.code].status, mimetype=MEDIA_TYPE)
    wait = problem.retry_after
    if wait is None and answer.status_code in {429, 503}:
        wait = RETRY_SECONDS
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="fieldstamp"'
    return answer


def handle(error: Exception) -> Response:
    """Answers any error; logs those that a person must look at, never sends their text."""
    problem = to_problem(error)
    if problem.type.status >= 500:
        log.error("request_failed", request_id=g.get("request_id", ""), exc_info=error)
    answer = render(problem)
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():
            if name == "Allow":
                answer.headers[name] = value
    return answer


def install(app: Flask) -> None:
    """Makes ``handle`` the answer to every error of ``app``."""
    app.register_error_handler(Exception, handle)
