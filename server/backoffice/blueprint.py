"""The blueprint of all office pages: form protection, and errors as pages."""

from urllib.parse import urlsplit

import structlog
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.wrappers import Response

from server.backoffice.languages import language
from server.errors import describe
from server.failures import to_problem

blueprint = Blueprint("office", __name__, url_prefix="/office", template_folder="templates")
csrf = CSRFProtect()
log = structlog.get_logger()

Page = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@blueprint.before_request
def refuse_forged_forms() -> None:
    """Every form of these pages carries the token of its browser session."""
    csrf.protect()


@blueprint.errorhandler(Exception)
def show_error(error: Exception) -> Page:
    """A page that says what happened and what to do; who is signed out is asked to sign in."""
    problem = to_problem(error)
    if problem.code == "unauthenticated":
        return redirect(url_for("office.login", next=_place()))
    if problem.type.status >= 500:
        log.error("page_failed", request_id=g.get("request_id", ""), exc_info=error)
    told = describe(problem.code, language(), problem.fields)
    page = render_template("office/error.html", told=told, stale=isinstance(error, CSRFError))
    return page, problem.type.status


def _place() -> str:
    """Where the person was: the page itself, or the one whose form was sent."""
    return request.full_path if request.method == "GET" else urlsplit(request.referrer or "").path
