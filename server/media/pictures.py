"""Makes previews and thumbnails of blobs that nobody has looked into yet."""

import os
import shutil
import stat
import tempfile
from functools import cache
from importlib import import_module
from typing import BinaryIO

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from server.db import transaction
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.examine import examine_apart
from server.media.seen import Picture as Seen
from server.media.seen import Rendition, Unreadable
from server.media.settling import tell_again
from server.media.tables import Blob, Picture, Print


def list_unexamined(session: Session) -> list[str]:
    """Hashes of blobs without a verdict on their content, oldest first."""
    unseen = select(Blob.sha256).where(_is_unseen()).order_by(Blob.key)
    return list(session.scalars(unseen))


def _is_unseen() -> ColumnElement[bool]:
    """Nobody looked inside, or nobody could who can now."""
    unseen = Blob.content.is_(None)
    lacking = (Blob.content == "unsupported") & (Blob.reason == "needs_heic")
    return unseen | lacking if _has_heic() else unseen


@cache
def _has_heic() -> bool:
    """Whether the extra that decodes HEIC works in this installation."""
    try:
        import_module("pillow_heif")
    except ImportError:
        return False
    return True


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
            session.add_all(Print(blob=key, bits=bits) for bits in _prints(seen))
            tell_again(session, sha256)


def _examine(file: BinaryIO) -> Seen | Unreadable:
    """A child can only be given a real file; a store elsewhere hands out streams."""
    if _is_file(file):
        return examine_apart(file)
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        return examine_apart(copy)


def _is_file(file: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False


def _note_content(session: Session, sha256: str, seen: Seen | Unreadable) -> int | None:
    """The blob's key; None where another worker has noted its content meanwhile."""
    facts = _facts_missing(seen) if isinstance(seen, Unreadable) else _facts(seen)
    noted = update(Blob).where(Blob.sha256 == sha256, _is_unseen()).values(**facts)
    return session.scalar(noted.returning(Blob.key))


def _facts_missing(seen: Unreadable) -> dict[str, object]:
    return {"content": seen.content, "reason": seen.reason, "type": seen.type}


def _facts(seen: Seen) -> dict[str, object]:
    return {
        "content": "readable",
        "reason": None,
        "type": seen.type,
        "width": seen.width,
        "height": seen.height,
        "frames": seen.frames,
        "claims": seen.claims,
        "dropped": seen.dropped,
        "sharpness": seen.quality.sharpness,
        "brightness": seen.quality.brightness,
        "bare_sha256": seen.marks.bare_sha256,
    }


def _prints(seen: Seen | Unreadable) -> tuple[bytes, ...]:
    return seen.marks.prints if isinstance(seen, Seen) else ()


def _row(blob: int, name: str, placed: Placed, rendition: Rendition) -> Picture:
    return Picture(
        blob=blob,
        name=name,
        sha256=placed.sha256,
        bytes=placed.bytes,
        width=rendition.width,
        height=rendition.height,
    )
