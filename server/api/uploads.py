"""tus 1.0.0: uploads are made, looked at, added to and ended. What is read back is elsewhere."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import cast

from flask import Blueprint, Flask, Response, g, request
from flask.blueprints import BlueprintSetupState

from server.api import tus
from server.api.access import needs, public
from server.api.bodies import Body, install_slots, upload_slot
from server.api.patience import connection_of, stop_reading
from server.api.problem import render
from server.api.tus import UPLOADS
from server.domain.evidence import actions, queries
from server.errors import Problem
from server.extensions import db
from server.media import joining, receiving, uploads
from server.media.uploads import UploadStatus, Wish
from server.people.principal import Principal
from server.services import services

blueprint = Blueprint("uploads", __name__)

NO_BODY = HTTPStatus.NO_CONTENT
CUT_RETRY_SECONDS = 1


@blueprint.record_once
def _install(state: BlueprintSetupState) -> None:
    app = cast("Flask", state.app)
    install_slots(app, app.extensions["fieldstamp"].settings.upload_slots)


@blueprint.after_request
def _describe(answer: Response) -> Response:
    """Every answer about uploads says where the upload stands, errors included."""
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
    make = joining.create_joined if wish.joins else uploads.create_upload
    upload = make(db.session(), services().media, wish)
    upload = g.upload = uploads.relieve(db.session(), services().media, upload)
    location = {"Location": f"{UPLOADS}/{upload.id}"}
    if tus.has_bytes(request) and upload.state == "open" and upload.received == 0:
        refusal = _take_bytes(upload)
        if refusal is not None:
            return refusal
    elif upload.state == "stored":  # joined, or of no bytes: complete at once
        _finish(upload)
    return Response(status=HTTPStatus.CREATED, headers=location)


def _wish(principal: Principal) -> Wish:
    partial, joins = tus.read_concat(request)
    said = tus.read_metadata(request)
    length = None if joins else tus.read_length(request)
    key = said.get("upload") or _own_key(joins)
    if len(key) > tus.LONGEST_KEY:
        raise Problem("bad_request", detail="The upload key is too long.")
    wish = Wish(user=principal.user, upload=key, length=length, partial=partial, joins=joins)
    return wish if partial else _with_photo(wish, said)


def _own_key(joins: tuple[str, ...]) -> str:
    """For clients that make none; who asks again for the same parts to be joined lost an answer."""
    if joins:
        return hashlib.sha256(" ".join(joins).encode()).hexdigest()
    return services().ids.new()


def _with_photo(wish: Wish, said: dict[str, str]) -> Wish:
    part = said.get("part", "original")
    if part not in tus.PARTS:
        raise Problem("bad_request", detail="Upload-Metadata names no such part.")
    wanted = queries.bytes_wanted(db.session(), wish.user, said.get("photo", ""), part)
    if wanted is None:
        raise Problem("not_found")
    if said.get("sha256", wanted.sha256) != wanted.sha256:
        raise Problem("checksum_mismatch", detail="The photo's record declares another SHA-256.")
    return replace(wish, photo=wanted.photo, part=part, sha256=wanted.sha256, type=wanted.type)


@blueprint.route(f"{UPLOADS}/<upload>", methods=["HEAD"], strict_slashes=False)
@needs(upload_only=True)
def look(principal: Principal, upload: str) -> Response:
    """Where an upload stands; who asks becomes its writer."""
    return _look(principal, upload)


def _find(principal: Principal, upload: str) -> UploadStatus:
    """The upload, once an older request that writes to it has kept what came."""
    session = db.session()
    return uploads.relieve(
        session, services().media, uploads.find_upload(session, principal.user, upload)
    )


def _look(principal: Principal, upload: str) -> Response:
    tus.check_version(request)
    found = g.upload = _find(principal, upload)
    if found.state == "refused":
        raise Problem("upload_gone")
    uploads.need_live(found, services().media)
    go_on = joining.gather if found.joins else uploads.take_over
    _finish(go_on(db.session(), services().media, found))
    return Response(status=HTTPStatus.OK, headers={"Cache-Control": "no-store"})


@blueprint.route(f"{UPLOADS}/<upload>", methods=["PATCH"], strict_slashes=False)
@needs(upload_only=True)
def append(principal: Principal, upload: str) -> Response:
    """Adds the body at ``Upload-Offset``."""
    return _append(principal, upload)


def _append(principal: Principal, upload: str) -> Response:
    tus.check_version(request)
    tus.check_body_type(request)
    offset = tus.read_number(request, "Upload-Offset")
    found = g.upload = _find(principal, upload)
    uploads.need_live(found, services().media)
    if found.joins:
        raise Problem("forbidden", detail="The bytes of this upload are those that it joins.")
    if offset != found.received:
        raise Problem("offset_mismatch")
    if "Upload-Length" in request.headers:
        length = tus.read_number(request, "Upload-Length")
        found = g.upload = uploads.set_length(db.session(), services().media, found, length)
    return _take_bytes(found) or Response(status=NO_BODY)


@blueprint.route(f"{UPLOADS}/<upload>", methods=["DELETE"], strict_slashes=False)
@needs(upload_only=True)
def end(principal: Principal, upload: str) -> Response:
    """Ends an upload; bytes that were verified stay with their photo."""
    return _end(principal, upload)


def _end(principal: Principal, upload: str) -> Response:
    tus.check_version(request)
    found = uploads.find_upload(db.session(), principal.user, upload)
    uploads.need_live(found, services().media)
    uploads.terminate(db.session(), services().media, found)
    return Response(status=NO_BODY)


OVERRIDES: dict[str, Callable[[Principal, str], Response]] = {
    "DELETE": _end,
    "HEAD": _look,
    "PATCH": _append,
}


@blueprint.post(f"{UPLOADS}/<upload>", strict_slashes=False)
@needs(upload_only=True)
def override(principal: Principal, upload: str) -> Response:
    """The same, for clients and proxies that know no other method than POST."""
    meant = OVERRIDES.get(request.headers.get("X-HTTP-Method-Override", ""))
    if meant is None:
        raise Problem("method_not_allowed")
    return meant(principal, upload)


def _take_bytes(upload: UploadStatus) -> Response | None:
    """Receives the body; None, or the answer where it did not come to its end."""
    media, checksum = services().media, tus.read_checksum(request)
    room = (media.limits.upload_bytes if upload.length is None else upload.length) - upload.received
    if (request.content_length or 0) > room:
        stop_reading(connection_of(request))
        raise Problem("too_large", extra={"limit": room})
    with upload_slot(request):
        body = Body(request, limit=room)
        if upload.state == "open":
            g.upload = _receive(upload, body, checksum)
    _finish(g.upload, is_new=upload.state == "open")
    return None if body.complete or g.upload.state != "open" else _break_off(body)


def _break_off(body: Body) -> Response:
    """Who is still there to hear it goes on: at once, unless the line was at fault."""
    stop_reading(connection_of(request))
    cut = Problem("unavailable", retry_after=CUT_RETRY_SECONDS)
    answer = render(Problem("offset_mismatch") if body.is_ended else cut)
    answer.headers["Connection"] = "close"
    return answer


def _receive(upload: UploadStatus, body: Body, checksum: tus.Checksum | None) -> UploadStatus:
    take = partial(
        receiving.receive,
        db.session(),
        services().media,
        upload,
        stop=body.end,
    )
    if checksum is None:
        return take(body.pieces())
    checked = tus.CheckedBody(body, checksum)
    return take(checked.pieces(), counts=checked.counts)


def _finish(upload: UploadStatus, *, is_new: bool = False) -> None:
    """Checks a complete upload and tells its record. *Raises* ``checksum_mismatch``, and
    ``upload_gone`` where its bytes are no more."""
    result = g.upload = receiving.finish(db.session(), services().media, upload)
    uploads.need_live(result, services().media)
    is_new = is_new or upload.state != result.state
    if result.state in {"verified", "refused"} and is_new:
        actions.tell_arrivals(db.session(), services().sync, services().media)
    if result.state == "refused":
        raise Problem("checksum_mismatch")
