"""The page of a link, before and after its term; and what hooks the room up."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from server.clock import from_wire, to_wire
from server.domain.links import queries
from server.domain.links.actions import note_opening
from server.domain.links.queries import Link
from server.domain.links.schemas import LONGEST_TEXT
from server.domain.vocabulary import TAGS
from server.errors import LANGUAGES, Problem, Words, describe
from server.extensions import db
from server.linked import assets, copies, handing, uploads
from server.linked.assets import asset
from server.linked.blueprint import blueprint
from server.linked.door import by_link
from server.linked.handing import FORM_PHOTOS, take_form
from server.linked.words import for_scripts, language, say, say_for
from server.people import rights
from server.services import services

MODULES = (assets, copies, handing, uploads)
"""Importing a module puts its views on the blueprint."""


@blueprint.get("/l/<token>")
@by_link
def show(link: Link) -> Response:
    """What the link shows, and the form; after the term, that it is over. Each look is kept."""
    agent = request.headers.get("User-Agent", "")
    now = services().clock.now()
    note_opening(db.session(), link, address=request.remote_addr or "", agent=agent, at=now)
    return _page(link)


@blueprint.post("/l/<token>")
@by_link
def take(link: Link) -> Answer:
    """Takes the form as browsers without scripts send it, and shows the page again."""
    try:
        take_form(link)
    except Problem as problem:
        return _page(link, problem)
    lang = request.args.get("lang")
    there = url_for("linked.show", token=_token(), lang=lang, _anchor="handed-in")
    return redirect(there, code=303)


@blueprint.context_processor
def _for_templates() -> dict[str, object]:
    return {"asset": asset, "language": language(), "languages": LANGUAGES, "say": say}


def install(app: Flask) -> None:
    """Puts the pages under ``/l/`` of ``app``."""
    app.register_blueprint(blueprint)


def _token() -> str:
    return str((request.view_args or {})["token"])


def _page(link: Link, problem: Problem | None = None) -> Response:
    """The page as it is now; ``problem`` says why a form was not taken."""
    now = services().clock.now()
    is_open = link.is_open(now)
    values = _standing(link, now) | (_shown(link) if is_open else {})
    told = problem and describe(problem.code, language(), problem.fields)
    page = render_template(
        "linked/page.html" if is_open else "linked/over.html",
        problem=told,
        text=request.form.get("text", "") if problem else "",
        **values,
    )
    status = problem.type.status if problem else 200 if is_open else 410
    return Response(page, status, mimetype="text/html")


def _standing(link: Link, now: datetime) -> dict[str, Any]:
    """What the page says whether or not the term is over."""
    guest = rights.load_principal(db.session(), link.guest, device=None)
    zone, over_at = ZoneInfo(guest.zone), link.over_at(now)
    return {
        "token": _token(),
        "due": _local(over_at, zone),
        "due_at": to_wire(over_at),
        "now": to_wire(now),
        "left": _left(over_at - now),
        "handed_in": [
            {"at": _local(from_wire(one.at), zone), "came": one}
            for one in queries.handed_in(db.session(), link)
        ],
        "words": for_scripts(),
        "limits": services().policy.links,
    }


def _shown(link: Link) -> dict[str, Any]:
    """X6: what the link shows of its record, and ids with which a plain form can be sent twice."""
    session, own = db.session(), services()
    return {
        "own": partial(say_for, link.purpose.name),
        "listing": queries.shown_listing(session, own.sync.registry, link),
        "copies": {
            name: Words(*TAGS[photo.tag or "other"]).say(language())
            for name, photo in queries.shown_photos(session, own.policy, link).items()
        },
        "longest": LONGEST_TEXT,
        "form_id": own.ids.new(),
        "photo_ids": " ".join(own.ids.new() for _ in range(FORM_PHOTOS)),
    }


def _local(moment: datetime, zone: ZoneInfo) -> str:
    """A time as people there read it, with its offset."""
    there = moment.astimezone(zone)
    offset = there.strftime("%z")
    return f"{there:%Y-%m-%d %H:%M} (UTC{offset[:3]}:{offset[3:]})"


def _left(span: timedelta) -> str:
    minutes = max(int(span.total_seconds()) // 60, 0)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return say("days", days, hours)
    return say("hours", hours, minutes % 60) if hours else say("minutes", minutes)
