"""From the pieces of a body to durable bytes, and from durable bytes to a verified blob."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import Base, transaction
from server.errors import Problem
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.parts import Part
from server.media.tables import Arrival, Blob, Upload
from server.media.uploads import UploadStatus, change_rows, find_upload, give_up

FLUSH_BYTES = 1024 * 1024
FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Bytes of one part of a photo, and who brought them."""

    user: str
    photo: str
    part: str
    sha256: str


def receive(
    session: Session, media: Media, upload: UploadStatus, pieces: Iterable[bytes]
) -> UploadStatus:
    """Appends ``pieces`` under the lease of ``upload``; returns it as it stands afterwards.

    However the body ends, what came is kept. No lock and no connection is held between flushes.
    *Raises* ``offset_mismatch`` where a newer request took the lease over, ``upload_gone``,
    ``unavailable`` where the disk takes no more.
    """
    if upload.received == 0:
        media.parts.create(upload.id)
    try:
        with media.parts.open(upload.id, place=upload.received) as part:
            _append(session, media, upload, part, pieces)
    except FileNotFoundError as error:
        give_up(session, media, upload)
        raise Problem("upload_gone") from error
    except OSError as error:  # a full disk: what the offset counts stays, the rest comes again
        raise Problem("unavailable") from error
    return find_upload(session, upload.user, upload.id)


def _append(
    session: Session, media: Media, upload: UploadStatus, part: Part, pieces: Iterable[bytes]
) -> None:
    durable, flushed_at = upload.received, media.clock.monotonic()
    for piece in pieces:
        part.write(piece)
        waited = media.clock.monotonic() - flushed_at
        if part.place - durable >= FLUSH_BYTES or waited >= FLUSH_SECONDS:
            durable = _flush(session, media, upload, part, durable)
            flushed_at = media.clock.monotonic()
    if part.place > durable:
        _flush(session, media, upload, part, durable)


def _flush(session: Session, media: Media, upload: UploadStatus, part: Part, durable: int) -> int:
    """M1: the data reaches the disk before the offset says so; returns the new offset."""
    part.sync()
    complete = part.place == upload.length
    with transaction(session):
        moved = change_rows(
            session,
            Upload.id == upload.id,
            Upload.state == "open",
            Upload.received == durable,
            Upload.lease == upload.lease,
            received=part.place,
            state="stored" if complete else "open",
            expires_at=media.clock.now() + media.limits.lifetime,
        )
    if not moved:
        current = find_upload(session, upload.user, upload.id)
        raise Problem("offset_mismatch", extra={"offset": current.received})
    return part.place


def finish(session: Session, media: Media, upload: UploadStatus) -> UploadStatus:
    """Checks a complete upload against its hash: ``verified``, or ``refused`` and quarantined.

    May be called again at any time, also by two at once: there is one result. *Raises*
    ``unavailable`` where the store takes no more now.
    """
    if upload.state != "stored":
        return upload
    session.rollback()  # no connection is held while bytes are copied
    if upload.length == 0:
        media.parts.create(upload.id)
    try:
        placed = media.originals.put_if_absent(media.parts.path(upload.id), sha256=upload.sha256)
    except FileNotFoundError:
        give_up(session, media, upload)  # unless another finisher has settled it meanwhile
    except OSError as error:  # the bytes are safe in their part file; the sweep tries again
        raise Problem("unavailable") from error
    else:
        _settle(session, media, upload, placed if isinstance(placed, Placed) else None)
    return find_upload(session, upload.user, upload.id)


def _settle(session: Session, media: Media, upload: UploadStatus, placed: Placed | None) -> None:
    state = "verified" if placed else "refused"
    with transaction(session) as effects:
        first = change_rows(
            session,
            Upload.id == upload.id,
            Upload.state == "stored",
            state=state,
            finished_at=media.clock.now(),
        )
        if not first:
            return
        brought = Brought(
            user=upload.user, photo=upload.photo, part=upload.part, sha256=upload.sha256
        )
        if placed:
            note_verified(session, media, brought, placed)
            effects.add(lambda: media.wake(upload.sha256))
        else:
            _note_arrival(session, media, brought, state)
        clear = media.parts.remove if placed else media.parts.quarantine
        effects.add(lambda: clear(upload.id))


def _insert_unless_there(session: Session, row: Base) -> None:
    """Adds ``row``; somebody else may have been first."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return


def _note_blob(session: Session, media: Media, placed: Placed) -> None:
    if session.scalar(select(Blob.key).where(Blob.sha256 == placed.sha256)) is None:
        blob = Blob(sha256=placed.sha256, bytes=placed.bytes, placed_at=media.clock.now())
        _insert_unless_there(session, blob)


def note_verified(session: Session, media: Media, brought: Brought, placed: Placed) -> None:
    """Notes that these bytes are durable and have their hash (M4); the caller commits."""
    _note_blob(session, media, placed)
    _note_arrival(session, media, brought, "verified")


def _note_arrival(session: Session, media: Media, brought: Brought, state: str) -> None:
    """Remembers the result for the record's keeper; good bytes outweigh a later bad upload."""
    same = (
        Arrival.photo == brought.photo,
        Arrival.user == brought.user,
        Arrival.part == brought.part,
    )
    now = media.clock.now()
    fresh = Arrival(
        photo=brought.photo,
        user=brought.user,
        part=brought.part,
        sha256=brought.sha256,
        state="refused",
        at=now,
    )
    if session.scalar(select(Arrival.key).where(*same)) is None:
        _insert_unless_there(session, fresh)
    row = session.scalars(select(Arrival).where(*same).with_for_update()).one()
    if row.state == "verified" and state == "refused":
        return
    row.sha256, row.state, row.at = brought.sha256, state, now
    row.turn, row.tries = row.turn + 1, 0
    row.due_at = now if brought.part == "original" else None
