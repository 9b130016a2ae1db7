"""Bytes of photos and signatures: tus uploads, acknowledgements, and what may be read back."""

from http import HTTPStatus
from typing import Any, cast

from flask import Blueprint, Flask, Response, g, request
from flask.blueprints import BlueprintSetupState

from server.api import tus
from server.api.access import needs, public
from server.api.bodies import Body, install_slots, stop_reading, upload_slot
from server.api.problem import render
from server.api.reader import read_body, read_json
from server.domain.evidence import actions, queries
from server.errors import Problem
from server.extensions import db
from server.handout import hand_out
from server.media import receiving, uploads
from server.media.uploads import UploadStatus, Wish
from server.people.principal import Principal
from server.services import services

blueprint = Blueprint("media", __name__)

UPLOADS = "/v1/media/uploads"
NO_BODY = HTTPStatus.NO_CONTENT
MOST_ASKED = 500
CUT_RETRY_SECONDS = 1


@blueprint.record_once
def _install(state: BlueprintSetupState) -> None:
    app = cast("Flask", state.app)
    install_slots(app, app.extensions["fieldstamp"].settings.upload_slots)


@blueprint.after_request
def _describe(answer: Response) -> Response:
    """Every answer about uploads says where the upload stands, errors included."""
    if not request.path.startswith(UPLOADS):
        return answer
    answer.headers["Tus-Resumable"] = tus.VERSION
    tus.open_to_browsers(answer)
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        answer.headers["Tus-Version"] = tus.VERSION
    if "upload" in g:
        tus.describe_upload(answer, g.upload)
    return answer


@blueprint.route(
    UPLOADS, methods=["OPTIONS"], strict_slashes=False, provide_automatic_options=False
)
@blueprint.route(
    f"{UPLOADS}/<upload>",
    methods=["OPTIONS"],
    strict_slashes=False,
    provide_automatic_options=False,
)
@public
def options(upload: str = "") -> Response:  # noqa: ARG001 -- all uploads are served alike
    """What this server serves of tus."""
    answer = Response(status=NO_BODY)
    tus.describe_server(answer, services().settings.upload_bytes)
    return answer


@blueprint.post(UPLOADS, strict_slashes=False)
@needs(upload_only=True)
def create(principal: Principal) -> Response:
    """Makes an upload, or finds the one that the same key made before."""
    tus.check_version(request)
    wish = _wish(principal)
    upload = g.upload = uploads.create_upload(db.session(), services().media, wish)
    location = {"Location": f"{UPLOADS}/{upload.id}"}
    if tus.has_bytes(request) and upload.state == "open" and upload.received == 0:
        refusal = _take_bytes(upload)
        if refusal is not None:
            return refusal
    elif upload.state == "stored":  # an upload of no bytes is complete at once
        _finish(upload)
    return Response(status=HTTPStatus.CREATED, headers=location)


def _wish(principal: Principal) -> Wish:
    length = tus.read_number(request, "Upload-Length")
    said = tus.read_metadata(request)
    part, key = said.get("part", "original"), said.get("upload", services().ids.new())
    if part not in tus.PARTS or not 0 < len(key) <= tus.LONGEST_KEY:
        raise Problem("bad_request", detail="Upload-Metadata names no such part or key.")
    wanted = queries.bytes_wanted(db.session(), principal.user, said.get("photo", ""), part)
    if wanted is None:
        raise Problem("not_found")
    if said.get("sha256", wanted.sha256) != wanted.sha256:
        raise Problem("checksum_mismatch", detail="The photo's record declares another SHA-256.")
    return Wish(
        user=principal.user,
        upload=key,
        photo=wanted.photo,
        part=part,
        sha256=wanted.sha256,
        type=wanted.type,
        length=length,
    )


@blueprint.route(f"{UPLOADS}/<upload>", methods=["HEAD"], strict_slashes=False)
@needs(upload_only=True)
def look(principal: Principal, upload: str) -> Response:
    """Where an upload stands; who asks becomes its writer."""
    tus.check_version(request)
    found = g.upload = uploads.find_upload(db.session(), principal.user, upload)
    if found.state == "refused":
        raise Problem("upload_gone")
    _finish(uploads.take_over(db.session(), services().media, found))
    return Response(status=HTTPStatus.OK, headers={"Cache-Control": "no-store"})


@blueprint.route(f"{UPLOADS}/<upload>", methods=["PATCH"], strict_slashes=False)
@needs(upload_only=True)
def append(principal: Principal, upload: str) -> Response:
    """Adds the body at ``Upload-Offset``."""
    return _append(principal, upload)


@blueprint.post(f"{UPLOADS}/<upload>", strict_slashes=False)
@needs(upload_only=True)
def append_by_override(principal: Principal, upload: str) -> Response:
    """The same, for clients and proxies that know no PATCH."""
    if request.headers.get("X-HTTP-Method-Override") != "PATCH":
        raise Problem("method_not_allowed")
    return _append(principal, upload)


def _append(principal: Principal, upload: str) -> Response:
    tus.check_version(request)
    tus.check_body_type(request)
    offset = tus.read_number(request, "Upload-Offset")
    found = g.upload = uploads.find_upload(db.session(), principal.user, upload)
    if found.state == "gone":
        raise Problem("upload_gone")
    if offset != found.received:
        raise Problem("offset_mismatch")
    return _take_bytes(found) or Response(status=NO_BODY)


def _take_bytes(upload: UploadStatus) -> Response | None:
    """Receives the body; None, or the answer where it did not come to its end."""
    if (request.content_length or 0) > upload.length - upload.received:
        stop_reading(request)
        raise Problem("too_large", extra={"limit": upload.length - upload.received})
    media = services().media
    with upload_slot(request):
        leased = uploads.take_over(db.session(), media, upload, offset=upload.received)
        body = Body(request, limit=leased.length - leased.received)
        if leased.state == "open":
            g.upload = receiving.receive(db.session(), media, leased, body.pieces())
    _finish(g.upload)
    if body.complete or g.upload.state != "open":
        return None
    stop_reading(request)
    answer = render(Problem("unavailable", retry_after=CUT_RETRY_SECONDS))
    answer.headers["Connection"] = "close"
    return answer


def _finish(upload: UploadStatus) -> None:
    """Checks a complete upload and tells its record. *Raises* ``checksum_mismatch``."""
    result = g.upload = receiving.finish(db.session(), services().media, upload)
    if result.state in {"verified", "refused"} and upload.state == "stored":
        actions.tell_arrivals(db.session(), services().sync, services().media)
    if result.state == "refused":
        raise Problem("checksum_mismatch")


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
