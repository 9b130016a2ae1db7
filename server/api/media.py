"""Bytes of photos and signatures: acknowledgements, and what may be read back."""

from typing import Any

from flask import Blueprint, Response, request

from server.api.access import needs
from server.api.reader import read_body, read_json
from server.domain.evidence import actions, queries
from server.errors import Problem
from server.extensions import db
from server.handout import hand_out
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
    found = queries.find_bytes(db.session(), services().sync, principal, photo, form)
    if found is None:
        raise Problem("not_found")
    return hand_out(request, services().media, found.held, type_=found.type, name=photo)
