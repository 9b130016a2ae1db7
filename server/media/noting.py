"""Notes what became of bytes: the row of a blob, and what arrived for whom. The caller commits."""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Insert, Table, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from server.errors import Problem
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.tables import AT_ONCE, Arrival, Blob

BLOB = cast("Table", Blob.__table__)
ARRIVAL = cast("Table", Arrival.__table__)
KNOWN = select(BLOB.c.key, BLOB.c.fault).where(BLOB.c.sha256 == bindparam("sha256_"))
MENDED = update(BLOB).where(BLOB.c.key == bindparam("key_")).values(fault=None, place="local")
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
WHOSE = ["photo", "user", "part"]


def _keep_arrival(insert: Any) -> Insert:
    """Good bytes outweigh a later bad upload."""
    fresh = insert(ARRIVAL)
    new = ("sha256", "state", "at", "due_at")
    kept: Insert = fresh.values(turn=1, tries=0).on_conflict_do_update(
        index_elements=WHOSE,
        set_={name: fresh.excluded[name] for name in new}
        | {"turn": ARRIVAL.c.turn + 1, "tries": 0},
        where=or_(ARRIVAL.c.state != "verified", fresh.excluded.state != "refused"),
    )
    return kept


NEW_BLOB: dict[str, Insert] = {
    name: insert(BLOB).on_conflict_do_nothing(index_elements=["sha256"])
    for name, insert in INSERTS.items()
}
ARRIVED = {name: _keep_arrival(insert) for name, insert in INSERTS.items()}
"""By dialect, and put together once: doing so costs more than to run them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Bytes of one part of a photo, and who brought them."""

    user: str
    photo: str
    part: str
    sha256: str


def note_verified(connection: Connection, media: Media, brought: Brought, placed: Placed) -> None:
    """Notes that these bytes are durable and have their hash (M4)."""
    _note_blob(connection, media, placed)
    note_arrival(connection, media, brought, "verified")


def _note_blob(connection: Connection, media: Media, placed: Placed) -> None:
    """The row of bytes that were just hashed; good ones make up for what was found of them."""
    now = media.clock.now()
    known = connection.execute(KNOWN, {"sha256_": placed.sha256}).one_or_none()
    if known is None:
        given = {"sha256": placed.sha256, "bytes": placed.bytes, "placed_at": now}
        connection.execute(NEW_BLOB[connection.dialect.name], {**given, "hashed_at": now})
        # M4: whoever removes bytes without a row holds rows off; these may be just gone.
        if media.originals.head(placed.sha256) is None:
            raise Problem("unavailable")
    elif known.fault:
        connection.execute(MENDED, {"key_": known.key, "hashed_at": now})


def note_arrival(connection: Connection, media: Media, brought: Brought, state: str) -> None:
    """Remembers the result for the record's keeper; good bytes outweigh a later bad upload."""
    now = media.clock.now()
    whose = {"photo": brought.photo, "user": brought.user, "part": brought.part}
    given = {
        "sha256": brought.sha256,
        "state": state,
        "at": now,
        "due_at": AT_ONCE if brought.part == "original" else None,
    }
    connection.execute(ARRIVED[connection.dialect.name], {**whose, **given})
