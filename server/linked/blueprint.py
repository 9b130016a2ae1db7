"""The blueprint of pages behind links: what a browser may do with them, and errors as pages."""

import structlog
from flask import Blueprint, Response, g, render_template, request

from server.api import problem as problems
from server.failures import to_problem
from server.linked.words import language, say

blueprint = Blueprint("linked", __name__, template_folder="templates")
log = structlog.get_logger()

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TITLES = {"not_found": "unknown", "link_over": "over"}
"""Problem codes that a page has words of its own for."""
HINTS = {"not_found": "unknown_check", "too_large": "one_by_one"}
"""What to do about them; else the same again, later."""


@blueprint.after_request
def keep_private(answer: Response) -> Response:
    """X6: the address is the key, so it is told to nobody and found by no search."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    if answer.mimetype == "text/html":
        answer.headers["Content-Security-Policy"] = CONTENT_POLICY
    return answer


@blueprint.teardown_request
def close_files(_error: BaseException | None) -> None:
    """A form may have brought files, which were put aside on the disk."""
    request.close()


@blueprint.errorhandler(Exception)
def show_error(error: Exception) -> Response:
    """A page for people, a problem for scripts."""
    if not wants_page():
        return problems.handle(error)
    problem = to_problem(error)
    if problem.type.status >= 500:
        log.error("page_failed", request_id=g.get("request_id", ""), exc_info=error)
    title = TITLES.get(problem.code)
    told = {"title": say(title) if title else problem.type.title.say(language())}
    told["hint"] = say(HINTS.get(problem.code, "again"))
    page = render_template("linked/error.html", told=told, code=problem.code)
    answer = Response(page, problem.type.status, mimetype="text/html")
    if problem.retry_after is not None:
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


def wants_page() -> bool:
    """Whether a person looks at the answer: scripts ask for anything, pictures for pictures."""
    return request.accept_mimetypes.best == "text/html"
