"""Who comes in by which link; guesses are slowed down. No account, no cookie."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import request

from server.api.access import public
from server.domain.links.queries import Link, find_link
from server.errors import Problem
from server.extensions import db
from server.people import attempts
from server.services import services

LONGEST_TOKEN = 64

View = TypeVar("View", bound=Callable[..., Any])


def by_link(view: View) -> View:
    """Declares a route for whoever holds a link; the view gets the link in place of the token."""

    @public
    @wraps(view)
    def guarded(token: str, *args: Any, **kwargs: Any) -> Any:
        return view(need_link(token), *args, **kwargs)

    return cast("View", guarded)


def for_bytes(view: View) -> View:
    """The same for bytes of what was handed in: they may come for a while after the term (P6)."""

    @by_link
    @wraps(view)
    def guarded(link: Link, *args: Any, **kwargs: Any) -> Any:
        own, now = services(), services().clock.now()
        if now > link.over_at(now) + own.media.limits.lifetime:
            raise Problem("link_over")
        return view(link, *args, **kwargs)

    return cast("View", guarded)


def need_link(token: str) -> Link:
    """The link of ``token``. *Raises* ``not_found``, ``too_many`` after many wrong ones."""
    found = find_link(db.session(), token) if len(token) <= LONGEST_TOKEN else None
    if found is None:
        address = attempts.subject("link", request.remote_addr or "")
        attempts.take(db.session(), address, pace=attempts.ADDRESS, now=services().clock.now())
        raise Problem("not_found")
    return found


def need_open(link: Link) -> None:
    """*Raises* ``link_over`` after the term."""
    if not link.is_open(services().clock.now()):
        raise Problem("link_over")
