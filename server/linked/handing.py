"""Handing in: by the page's script as JSON, or by a plain form with the photos in it."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import request
from werkzeug.datastructures import FileStorage

from server.api.reader import read_body, read_json
from server.domain.links.actions import Declared, Given, hand_in
from server.domain.links.queries import Link
from server.errors import Problem
from server.extensions import db
from server.linked.blueprint import blueprint
from server.linked.door import by_link
from server.linked.uploads import bring
from server.services import services

FORM_PHOTOS = 8
"""Photos that one plain form carries; each has its id from the page, so that a repeat is one."""
FORM_BYTES = 16 * 1024 * 1024
"""They are held in memory; whoever has more sends it by the page's script, in pieces."""
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Filled:
    """A plain form as it came: what is handed in, and the bytes by the phone's ids."""

    given: Given
    contents: dict[str, bytes]


@blueprint.post("/l/<token>/hand-in")
@by_link
def hand_in_json(link: Link) -> dict[str, Any]:
    """Takes words and the declarations of photos; their bytes follow as uploads."""
    own = services()
    try:
        given = msgspec.convert(read_json(read_body(request, own.settings)), Given)
    except msgspec.ValidationError as error:
        raise Problem("validation", fields={"body": "format"}) from error
    received = hand_in(db.session(), own.sync, own.policy, link, given)
    return {"number": received.number, "at": received.at, "photos": dict(received.photos)}


def take_form(link: Link) -> None:
    """Takes a plain form: the records first, then the bytes; sent again, it goes on where it was.

    *Raises* what :func:`hand_in` does, ``too_large``, and what an upload does.
    """
    own, filled = services(), _read_form()
    received = hand_in(db.session(), own.sync, own.policy, link, filled.given)
    for id_, content in filled.contents.items():
        bring(link, received.photos[id_], content)


def _read_form() -> Filled:
    request.max_content_length = FORM_BYTES
    ids = request.form.get("photo_ids", "").split()
    files = [file for file in request.files.getlist("photos") if file.filename]
    if len(files) > len(ids):
        raise Problem("validation", fields={"photos": f"too_many:{len(ids)}"})
    named = dict(zip(ids, files, strict=False))
    contents = {id_: file.read() for id_, file in named.items()}
    photos = tuple(_declared(id_, file, contents[id_]) for id_, file in named.items())
    text = request.form.get("text", "").replace("\r\n", "\n")
    return Filled(Given(id=request.form.get("id", ""), text=text, photos=photos), contents)


def _declared(id_: str, file: FileStorage, content: bytes) -> Declared:
    return Declared(
        id=id_,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        type=file.mimetype or UNKNOWN_TYPE,
        source="gallery",
    )
