"""The ONE error handler: whatever went wrong becomes ``application/problem+json`` (RFC 9457)."""

import orjson
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from server.errors import CODES, LANGUAGES, Problem, describe
from server.failures import to_problem
from server.services import services

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
log = structlog.get_logger()


def language() -> str:
    """The language of this request's answer: what it accepts, else the installation's."""
    accepted = request.accept_languages.best_match(LANGUAGES)
    return accepted or services().settings.language


def render(problem: Problem) -> Response:
    """The answer for ``problem``, in the language of this request."""
    body: dict[str, object] = {"type": f"/docs#{problem.code}"}
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
