"""Reads blobs again after a while and hashes them: disks forget. Says what it finds, no more.

A photo whose bytes are gone or have changed says so in its record, for a person with a backup.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.clock import Clock
from server.db import transaction
from server.media.blobs import BlobStore
from server.media.disk import hash_pieces, read_pieces
from server.media.engine import Media
from server.media.settling import tell_again
from server.media.tables import Blob

Fault = Literal["missing", "differs"]
MOST_BLOBS = 500

PATIENCE_SECONDS = 5.0
"""A bucket that answers nobody costs so much of a round, and not that for each of its objects."""

log = structlog.get_logger()


class Refusals:
    """P8: one that a store does not give or take stops no other, unless it keeps all waiting."""

    def __init__(self, clock: Clock) -> None:
        self.first: OSError | None = None
        self._clock = clock
        self._began = clock.monotonic()

    @contextmanager
    def passed_over(self) -> Iterator[None]:
        """Goes on behind an ``OSError``, of which the first is kept."""
        try:
            yield
        except OSError as error:
            self.first = self.first or error

    def are_enough(self) -> bool:
        """Whether to come again later."""
        late = self._clock.monotonic() - self._began >= PATIENCE_SECONDS
        return self.first is not None and late


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
    left, refusals = most_bytes, Refusals(media.clock)
    for sha256, size in rows:
        if left <= 0 or refusals.are_enough():
            break
        left -= size
        session.rollback()  # no connection is held while bytes are read
        with refusals.passed_over():
            found[sha256] = _look(media.originals, sha256)
            note_hashed(session, media, sha256, found[sha256])
    if refusals.first and not found:
        raise refusals.first
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
