"""Moves blobs from the local disk into the bucket: local, copied, verified, resting.

What a step did is durable before the row says so, and each may be repeated: a move that was killed
goes on where it was. The local copy goes last, after the bucket gave every byte back once (M4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.db import transaction
from server.media.blobs import WrongHash
from server.media.disk import hash_pieces, read_pieces
from server.media.engine import Media
from server.media.rehash import Fault, Refusals, note_hashed
from server.media.resting import RestingBlobs
from server.media.tables import Blob

LOCAL, COPIED, VERIFIED, RESTING = "local", "copied", "verified", "resting"
ON_THE_WAY = (LOCAL, COPIED, VERIFIED)


@dataclass(frozen=True, slots=True)
class Moved:
    """A blob on its way."""

    sha256: str
    bytes: int
    place: str


class Faulty(Exception):
    """The blob cannot go on: its bytes are not those of its name, or nowhere."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


def move_blobs(session: Session, media: Media, *, before: datetime, limit: int = 50) -> int:
    """Brings blobs that were placed ``before`` to rest; how many. None without a bucket.

    Raises ``OSError`` where the bucket takes none of them: try again later.
    """
    if not isinstance(media.originals, RestingBlobs):
        return 0
    due = (Blob.place.in_(ON_THE_WAY), Blob.placed_at <= before, Blob.fault.is_(None))
    wanted = select(Blob.sha256, Blob.bytes, Blob.place).where(*due)
    rows = session.execute(wanted.order_by(Blob.placed_at).limit(limit)).all()
    moved, refusals = 0, Refusals(media.clock)
    for row in rows:
        with refusals.passed_over():
            moved += _move(session, media, media.originals, Moved(*row))
        if refusals.are_enough():
            break
    if refusals.first and not moved:
        raise refusals.first
    return moved


def _move(session: Session, media: Media, stores: RestingBlobs, blob: Moved) -> bool:
    session.rollback()  # no connection is held while bytes are carried
    try:
        while blob.place != RESTING:
            after = STEPS[blob.place](stores, blob)
            if not _advance(session, blob, after) or after == LOCAL:
                return False
            blob = Moved(blob.sha256, blob.bytes, after)
    except Faulty as found:
        note_hashed(session, media, blob.sha256, found.fault)
        return False
    return True


def _advance(session: Session, blob: Moved, place: str) -> bool:
    """Whether this mover, and no other one, brought the blob to ``place``."""
    with transaction(session):
        same = (Blob.sha256 == blob.sha256, Blob.place == blob.place)
        moved = update(Blob).where(*same).values(place=place).returning(Blob.key)
        return session.scalar(moved) is not None


def _copy(stores: RestingBlobs, blob: Moved) -> str:
    try:
        path = stores.at_hand.path(blob.sha256)
        placed = stores.at_rest.put_if_absent(path, sha256=blob.sha256)
    except FileNotFoundError:
        # A restored row may be older than the move of its bytes.
        if stores.at_rest.head(blob.sha256) != blob.bytes:
            raise Faulty("missing") from None
        return COPIED
    if isinstance(placed, WrongHash):
        raise Faulty("differs")
    return COPIED


def _verify(stores: RestingBlobs, blob: Moved) -> str:
    try:
        file = stores.at_rest.open_range(blob.sha256)
    except FileNotFoundError:
        return LOCAL
    try:
        found = hash_pieces(read_pieces(file))
    finally:
        file.close()
    if found == blob.sha256:
        return VERIFIED
    if stores.at_hand.head(blob.sha256) is None:
        raise Faulty("differs")
    stores.at_rest.delete(blob.sha256)
    return LOCAL


def _free(stores: RestingBlobs, blob: Moved) -> str:
    if stores.at_rest.head(blob.sha256) != blob.bytes:
        return LOCAL
    stores.at_hand.delete(blob.sha256)
    return RESTING


STEPS: dict[str, Callable[[RestingBlobs, Moved], str]] = {
    LOCAL: _copy,
    COPIED: _verify,
    VERIFIED: _free,
}
