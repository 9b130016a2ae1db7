"""Notes what became of bytes: the row of a blob, and what arrived for whom. The caller commits."""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.db import is_sqlite
from server.errors import Problem
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.tables import Arrival, Blob

BLOB = cast("Table", Blob.__table__)
ARRIVAL = cast("Table", Arrival.__table__)
KNOWN = select(BLOB.c.key, BLOB.c.fault).where(BLOB.c.sha256 == bindparam("sha256_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Bytes of one part of a photo, and who brought them."""

    user: str
    photo: str
    part: str
    sha256: str


def note_verified(session: Session, media: Media, brought: Brought, placed: Placed) -> None:
    """Notes that these bytes are durable and have their hash (M4)."""
    _note_blob(session, media, placed)
    note_arrival(session, media, brought, "verified")


def _note_blob(session: Session, media: Media, placed: Placed) -> None:
    """The row of bytes that were just hashed; good ones make up for what was found of them."""
    now = media.clock.now()
    known = session.execute(KNOWN, {"sha256_": placed.sha256}).one_or_none()
    if known is None:
        values = {"sha256": placed.sha256, "bytes": placed.bytes, "placed_at": now}
        fresh = _insert(session, BLOB).values(**values, hashed_at=now)
        session.execute(fresh.on_conflict_do_nothing(index_elements=["sha256"]))
        # M4: whoever removes bytes without a row holds rows off; these may be just gone.
        if media.originals.head(placed.sha256) is None:
            raise Problem("unavailable")
    elif known.fault:
        mended = update(BLOB).where(BLOB.c.key == known.key)
        session.execute(mended.values(fault=None, place="local", hashed_at=now))


def note_arrival(session: Session, media: Media, brought: Brought, state: str) -> None:
    """Remembers the result for the record's keeper; good bytes outweigh a later bad upload."""
    now = media.clock.now()
    result = {
        "sha256": brought.sha256,
        "state": state,
        "at": now,
        "due_at": now if brought.part == "original" else None,
        "tries": 0,
    }
    whose = {"photo": brought.photo, "user": brought.user, "part": brought.part}
    fresh = _insert(session, ARRIVAL).values(**whose, **result, turn=1)
    kept = fresh.on_conflict_do_update(
        index_elements=list(whose),
        set_={**result, "turn": ARRIVAL.c.turn + 1},
        where=or_(ARRIVAL.c.state != "verified", fresh.excluded.state != "refused"),
    )
    session.execute(kept)


def _insert(session: Session, table: Table) -> Any:
    return (sqlite if is_sqlite(session) else postgresql).insert(table)
