"""Bytes of photos and signatures: acknowledgements, and what may be read back."""

from typing import Any

from flask import Blueprint, Response, request

from server.api.access import needs, public
from server.api.reader import read_body, read_json
from server.clock import to_wire
from server.domain.evidence import actions, queries
from server.errors import Problem
from server.extensions import db
from server.handout import LINK_LIFETIME, Link, hand_out, read_link
from server.people import audit
from server.people.principal import Principal
from server.services import services

blueprint = Blueprint("media", __name__)

MOST_ASKED = 500


@blueprint.post("/v1/media/have")
@needs(upload_only=True)
def have(principal: Principal) -> dict[str, object]:
    """The asker's photo acknowledgements for the hashes that are verified here.

    Acknowledgements shown with the question bring back what a restore has forgotten.
    """
    asked = read_json(read_body(request, services().settings))
    hashes = _list_in(asked, "sha256", of=str)
    shown = _list_in(asked, "acknowledgements", of=dict, empty=[])
    own, user = services(), principal.user
    actions.adopt_shown(db.session(), own.sync, own.media, user=user, shown=shown)
    acks = queries.acknowledge_photos(db.session(), own.sync, own.media, user, hashes)
    return {"acknowledgements": acks}


def _list_in(asked: object, name: str, *, of: type, empty: list[Any] | None = None) -> list[Any]:
    """The member ``name`` of a body; ``empty`` where it is not there and need not be."""
    found = asked.get(name, empty) if isinstance(asked, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, of) for one in found):
        raise Problem("validation", fields={name: "type"})
    if len(found) > MOST_ASKED:
        raise Problem("validation", fields={name: f"too_many:{MOST_ASKED}"})
    return found


@blueprint.get("/v1/media/<photo>/<any(original, preview, thumbnail):form>")
@needs()
def read(principal: Principal, photo: str, form: str) -> Response:
    """The bytes of a photo that the asker may see, whole or a range of them."""
    found = _find(principal, photo, form)
    return hand_out(request, services().media, found.held, type_=found.type, name=photo)


@blueprint.post("/v1/media/<photo>/<any(original, preview, thumbnail):form>/link")
@needs()
def make_link(principal: Principal, photo: str, form: str) -> dict[str, object]:
    """A link to these bytes for whatever cannot send a token: a picture in a page, a player."""
    found, own = _find(principal, photo, form), services()
    until = own.clock.now() + LINK_LIFETIME
    url = None
    if not found.held.derived:
        originals = own.media.originals
        url = originals.presign(found.held.sha256, name=photo, lifetime=LINK_LIFETIME)
    link = Link(held=found.held, type=found.type, name=photo, until=until)
    return {"url": url or f"/v1/media/links/{link.write(own.secrets)}", "until": to_wire(until)}


@blueprint.get("/v1/media/links/<link>")
@public
def follow_link(link: str) -> Response:
    """The one object that a link names, while it lasts."""
    own = services()
    found = read_link(own.secrets, link, own.clock.now())
    return hand_out(request, own.media, found.held, type_=found.type, name=found.name)


def _find(principal: Principal, photo: str, form: str) -> queries.Found:
    """P5: by the right to see the record; whoever is shown an original is noted."""
    found = queries.find_bytes(db.session(), services().sync, principal, photo, form)
    if found is None:
        raise Problem("not_found")
    if form == "original":
        now, user = services().clock.now(), principal.user
        audit.note_seen(db.session(), user=user, device=principal.device, record=photo, at=now)
    return found
