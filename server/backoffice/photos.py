"""The bytes of photos for a signed-in browser, by record right."""

from flask import request
from werkzeug.wrappers import Response

from server.backoffice.blueprint import blueprint
from server.backoffice.door import signed_in
from server.domain.evidence.queries import find_bytes
from server.errors import Problem
from server.extensions import db
from server.handout import hand_out
from server.people import audit
from server.people.principal import Principal
from server.services import services


@blueprint.get("/photos/<photo>/<any(original, preview, thumbnail):form>")
@signed_in
def photo_bytes(principal: Principal, photo: str, form: str) -> Response:
    """P5: a photo that the person may open; any other answers like one that does not exist."""
    found = find_bytes(db.session(), services().sync, principal, photo, form)
    if found is None:
        raise Problem("not_found")
    if form == "original":
        now = services().clock.now()
        audit.note_seen(db.session(), user=principal.user, device=None, record=photo, at=now)
    return hand_out(request, services().media, found.held, type_=found.type, name=photo)
