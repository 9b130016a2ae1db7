"""tus 1.0.0 for the photos that a guest declared: made, looked at, added to."""

from http import HTTPStatus

from flask import Response, g, request, url_for

from server.api import tus
from server.api.uploads import OVERRIDES
from server.domain.evidence.actions import tell_arrivals
from server.domain.evidence.queries import bytes_wanted
from server.domain.links.queries import Link
from server.errors import Problem
from server.extensions import db
from server.linked.blueprint import blueprint
from server.linked.door import for_bytes
from server.media import receiving, uploads
from server.media.uploads import UploadStatus, Wish
from server.people.principal import Principal
from server.services import services


@blueprint.after_request
def describe(answer: Response) -> Response:
    """Every answer about an upload says where it stands, errors included."""
    if "upload" in g:
        answer.headers["Tus-Resumable"] = tus.VERSION
        tus.describe_upload(answer, g.upload)
    return answer


@blueprint.post("/l/<token>/uploads")
@for_bytes
def create(link: Link) -> Response:
    """Makes the upload of a photo, or finds the one that the same key made before."""
    tus.check_version(request)
    said = tus.read_metadata(request)
    length = tus.read_number(request, "Upload-Length")
    upload = g.upload = begin(link, said.get("photo", ""), said.get("upload", ""), length)
    token = (request.view_args or {})["token"]
    place = url_for("linked.append", token=token, upload=upload.id)
    return Response(status=HTTPStatus.CREATED, headers={"Location": place})


@blueprint.route("/l/<token>/uploads/<upload>", methods=["HEAD"])
@for_bytes
def look(link: Link, upload: str) -> Response:
    """Where an upload stands; who asks becomes its writer."""
    return OVERRIDES["HEAD"](_guest(link), upload)


@blueprint.route("/l/<token>/uploads/<upload>", methods=["PATCH"])
@for_bytes
def append(link: Link, upload: str) -> Response:
    """Adds the body at ``Upload-Offset``."""
    return OVERRIDES["PATCH"](_guest(link), upload)


def _guest(link: Link) -> Principal:
    return Principal(user=link.guest, name="", session="")


def begin(link: Link, photo: str, key: str, length: int) -> UploadStatus:
    """The upload for ``photo``, which this guest has declared; a repetition finds the same.

    *Raises* ``not_found`` for any other photo, ``too_large``.
    """
    session, own = db.session(), services()
    wanted = bytes_wanted(session, link.guest, photo, "original")
    if wanted is None or len(key) > tus.LONGEST_KEY:
        raise Problem("not_found")
    limit = own.policy.links.photo_mb * 1024 * 1024
    if length > limit:
        raise Problem("too_large", extra={"limit": limit})
    wish = Wish(
        user=link.guest,
        upload=key or photo,
        photo=wanted.photo,
        part="original",
        sha256=wanted.sha256,
        type=wanted.type,
        length=length,
    )
    return uploads.create_upload(session, own.media, wish)


def bring(link: Link, photo: str, content: bytes) -> None:
    """Takes the whole of a photo that came in a form. *Raises* ``checksum_mismatch``."""
    session, media = db.session(), services().media
    upload = begin(link, photo, "", len(content))
    if upload.state == "open":
        leased = uploads.take_over(session, media, upload, offset=upload.received)
        receiving.receive(session, media, leased, [content[leased.received :]])
        upload = uploads.find_upload(session, link.guest, upload.id)
    if receiving.finish(session, media, upload).state == "refused":
        raise Problem("checksum_mismatch")
    tell_arrivals(session, services().sync, media)
