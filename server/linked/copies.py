"""Copies of the record's photos, as far as the policy shows them (X6). No original, no EXIF."""

from flask import Response, request

from server.domain.links.queries import Link, find_copy
from server.errors import Problem
from server.extensions import db
from server.handout import hand_out
from server.linked.blueprint import blueprint
from server.linked.door import by_link, need_open
from server.services import services


@blueprint.get("/l/<token>/copies/<name>/<form>")
@by_link
def copy(link: Link, name: str, form: str) -> Response:
    """One copy, while the term runs."""
    need_open(link)
    own = services()
    held = find_copy(db.session(), own.policy, link, name, form)
    if held is None:
        raise Problem("not_found")
    return hand_out(request, own.media, held, type_="image/jpeg", name=name)
