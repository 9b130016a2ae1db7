"""Makes previews and thumbnails of blobs that nobody has looked into yet."""

import shutil
import tempfile
from typing import BinaryIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.db import transaction
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.examine import examine_apart
from server.media.images import Picture as Seen
from server.media.images import Rendition, Unreadable
from server.media.tables import Arrival, Blob, Picture


def list_unexamined(session: Session) -> list[str]:
    """Hashes of blobs without a verdict on their content, oldest first."""
    unseen = select(Blob.sha256).where(Blob.content.is_(None)).order_by(Blob.key)
    return list(session.scalars(unseen))


def examine_blob(session: Session, media: Media, sha256: str) -> None:
    """Looks inside one blob and notes ``readable``, ``damaged`` or ``unsupported``.

    The original is never touched; both pictures are durable before they are named.
    """
    session.rollback()  # no connection is held while a child decodes
    with media.originals.open_range(sha256) as file:
        seen = _examine(file)
    made: dict[str, tuple[Placed, Rendition]] = {}
    if isinstance(seen, Seen):
        for name, rendition in (("preview", seen.preview), ("thumbnail", seen.thumbnail)):
            made[name] = media.pictures.put_bytes(rendition.content), rendition
    with transaction(session):
        if key := _note_content(session, sha256, seen):
            session.add_all(_row(key, name, *picture) for name, picture in made.items())
            _wake(session, media, sha256)


def _examine(file: BinaryIO) -> Seen | Unreadable:
    """A child can only be given a real file; a store elsewhere hands out streams."""
    try:
        file.fileno()
    except OSError:
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            return examine_apart(copy)
    return examine_apart(file)


def _note_content(session: Session, sha256: str, seen: Seen | Unreadable) -> int | None:
    """The blob's key; None where another worker has noted its content meanwhile."""
    facts: dict[str, object] = {"reason": None}
    if isinstance(seen, Unreadable):
        facts |= {"content": seen.content, "reason": seen.reason}
    else:
        facts |= {"content": "readable", "type": seen.type, "claims": seen.claims}
        facts |= {"width": seen.width, "height": seen.height}
    return session.scalar(
        update(Blob)
        .where(Blob.sha256 == sha256, Blob.content.is_(None))
        .values(**facts)
        .returning(Blob.key)
    )


def _row(blob: int, name: str, placed: Placed, rendition: Rendition) -> Picture:
    return Picture(
        blob=blob,
        name=name,
        sha256=placed.sha256,
        bytes=placed.bytes,
        width=rendition.width,
        height=rendition.height,
    )


def _wake(session: Session, media: Media, sha256: str) -> None:
    """The keepers of every photo with these bytes are to be told their content."""
    session.execute(
        update(Arrival)
        .where(Arrival.sha256 == sha256, Arrival.part == "original", Arrival.state == "verified")
        .values(due_at=media.clock.now(), turn=Arrival.turn + 1, tries=0)
    )
