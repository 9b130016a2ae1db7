"""Signing in and out, who is here, and the language switch. Rights come from the tables."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import redirect, render_template, request, session, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.languages import CHOSEN, choose
from server.db import transaction
from server.errors import Problem
from server.extensions import db
from server.people import entry, sessions
from server.people.entry import Credentials
from server.people.principal import Principal
from server.services import services

KEY = "key"
"""Where the browser's cookie keeps the secret of its session."""
REVIEWER = "fieldstamp.reviewer"
"""Where a request keeps who sends it, for the head of its page."""

View = TypeVar("View", bound=Callable[..., Any])


def reviewer() -> Principal:
    """Who sends this request, read from the live tables. *Raises* ``unauthenticated``."""
    now = services().clock.now()
    known = sessions.recognise_browser(db.session(), str(session.get(KEY, "")), now=now)
    request.environ[REVIEWER] = known
    return known


def signed_in(view: View) -> View:
    """Declares a page for people who are signed in; the view gets the principal first."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(reviewer(), *args, **kwargs)

    guarded.access = "needs"  # type: ignore[attr-defined]
    return cast("View", guarded)


def public(view: View) -> View:
    """Declares a page that anybody may ask for."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def way_back() -> str:
    """Where the person wanted to go, if that is a page of the office."""
    wanted = request.values.get("next", "")
    return wanted if wanted.startswith("/office/") else url_for("office.queue")


@blueprint.get("/login")
@public
def login() -> Page:
    """Asks for name and password."""
    return render_template("office/login.html", next=way_back(), problem=None, username="")


@blueprint.post("/login")
@public
def sign_in() -> Page:
    """Opens a session under a new id, or asks again and says why."""
    username, password = request.form.get("username", ""), request.form.get("password", "")
    credentials = Credentials(
        username=username, password=password, address=request.remote_addr or ""
    )
    now = services().clock.now()
    try:
        secret = entry.login_browser(db.session(), services().ids, credentials, now=now)
    except Problem as problem:
        return _ask_again(problem, username)
    chosen = session.get(CHOSEN, "")
    session.clear()
    session[KEY] = secret
    choose(chosen)
    return redirect(way_back())


def _ask_again(problem: Problem, username: str) -> Page:
    page = render_template("office/login.html", next=way_back(), problem=problem, username=username)
    wait = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return page, problem.type.status, wait


@blueprint.post("/logout")
@signed_in
def sign_out(principal: Principal) -> Page:
    """Ends the session on the server, not only in the browser."""
    with transaction(db.session()):
        sessions.end(db.session(), principal.session, now=services().clock.now())
    session.clear()
    return redirect(url_for("office.login"))


@blueprint.post("/language")
@public
def switch_language() -> Page:
    """Speaks another language from now on."""
    choose(request.form.get("language", ""))
    return redirect(way_back())
