"""Reads blobs again after a while and hashes them: disks forget. Says what it finds, no more.

A photo whose bytes are gone or have changed says so in its record, for a person with a backup.
"""

from datetime import datetime
from typing import Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.db import transaction
from server.media.blobs import BlobStore
from server.media.disk import hash_pieces, read_pieces
from server.media.engine import Media
from server.media.settling import tell_again
from server.media.tables import Blob

Fault = Literal["missing", "differs"]
MOST_BLOBS = 500

log = structlog.get_logger()


def rehash_blobs(
    session: Session, media: Media, *, before: datetime, most_bytes: int
) -> dict[str, Fault | None]:
    """Hashes blobs that nobody has hashed since ``before``, longest ago first.

    Stops after about ``most_bytes``. Returns what was found, None for what is well. Raises
    ``OSError`` where nothing could be read because a store is out of reach.
    """
    wanted = select(Blob.sha256, Blob.bytes).where(Blob.hashed_at <= before)
    rows = session.execute(wanted.order_by(Blob.hashed_at).limit(MOST_BLOBS)).all()
    found: dict[str, Fault | None] = {}
    left, failure = most_bytes, None
    for sha256, size in rows:
        if left <= 0:
            break
        left -= size
        session.rollback()  # no connection is held while bytes are read
        try:
            found[sha256] = _look(media.originals, sha256)
        except OSError as error:  # P8: one that cannot be reached stops none of the others
            failure = error
            continue
        note_hashed(session, media, sha256, found[sha256])
    if failure and not found:
        raise failure
    return found


def _look(store: BlobStore, sha256: str) -> Fault | None:
    """Raises ``OSError`` where a store is out of reach, which says nothing about the bytes."""
    try:
        with store.open_range(sha256) as file:
            return None if hash_pieces(read_pieces(file)) == sha256 else "differs"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        if error.errno is None:
            raise
        return "differs"  # the disk itself says that it cannot give these bytes back


def note_hashed(session: Session, media: Media, sha256: str, fault: Fault | None) -> None:
    """Notes what hashing found; a change is told to the keepers of every photo of these bytes."""
    with transaction(session):
        known = session.scalar(select(Blob.fault).where(Blob.sha256 == sha256))
        values = {"hashed_at": media.clock.now(), "fault": fault}
        session.execute(update(Blob).where(Blob.sha256 == sha256).values(**values))
        if known != fault:
            tell_again(session, sha256)
    if fault:
        log.error("blob_faulty", sha256=sha256, fault=fault)
