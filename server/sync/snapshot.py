"""The paged replacement of all that a device holds (PROTOCOL *resync_required*).

The tail cursor is taken before the first read, so that what changes meanwhile comes with the next
pull; a record that comes twice is harmless. Parents come before their children.
"""

from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session

from server.clock import to_wire
from server.db import told_faults
from server.errors import Problem
from server.people.principal import Principal
from server.sync.cursor import serializer
from server.sync.digest import with_items
from server.sync.engine import Sync
from server.sync.given import ToldDevice, note_told
from server.sync.items import held_scopes, item_text, records_by_key
from server.sync.pull import begin
from server.sync.tables import PUT
from server.sync.view import Snapshot, look

SALT = "fieldstamp-snapshot-1"


def take_snapshot(
    sync: Sync, session: Session, reader: Principal, *, page: str | None, limit: int
) -> bytes:
    """One page, as JSON: puts, ``more``, the token of the next ``page``, and the tail ``cursor``.

    Raises Problem ``bad_request`` for a page token of another device, scope set or epoch.
    """
    pages = serializer(sync.secret, SALT)
    with told_faults():
        snapshot = look(session, reader)
        tail, after = _place(sync, pages, snapshot, reader, page)
        keys = _keys(snapshot, after, limit + 1)
        more, keys = len(keys) > limit, keys[:limit]
        records = records_by_key(snapshot.rows, keys)
        if page is None and reader.device is not None:
            told = ToldDevice(gained=reader.scopes, lost=frozenset(), left=frozenset())
            note_told(session, told, device=reader.device, at=to_wire(sync.clock.now()))
    after = keys[-1] if keys else after
    told_page: dict[str, Any] = {
        "protocol": 1,
        "epoch": snapshot.epoch,
        "server_time": to_wire(sync.clock.now()),
        "cursor": tail,
        "more": more,
        "page": pages.dumps([*_owner(snapshot, reader), tail, after]) if more else None,
    }
    items = [item_text(records[key], held) for key in keys if (held := _held(records, key, reader))]
    return with_items(told_page, items)


def _held(records: dict[int, Any], key: int, reader: Principal) -> tuple[str, ...]:
    return held_scopes(records[key], reader)


def _owner(snapshot: Snapshot, reader: Principal) -> list[Any]:
    return [snapshot.epoch, reader.user, reader.device, sorted(reader.scopes)]


def _place(
    sync: Sync, pages: URLSafeSerializer, snapshot: Snapshot, reader: Principal, page: str | None
) -> tuple[str, int]:
    """The tail cursor and the last record key handed out."""
    if page is None:
        return begin(snapshot, reader, seq=snapshot.head).write(sync.secret), 0
    try:
        *owner, tail, after = pages.loads(page)
    except (BadSignature, ValueError):
        raise Problem("bad_request", fields={"page": "format"}) from None
    if owner != _owner(snapshot, reader):
        raise Problem("bad_request", fields={"page": "format"})
    return str(tail), int(after)


def _keys(snapshot: Snapshot, after: int, limit: int) -> list[int]:
    """Keys of the next live records in the reader's scopes."""
    rows = snapshot.rows
    found = rows.select(
        f"SELECT DISTINCT record FROM feed WHERE {rows.among('scope')} AND item = {PUT}"
        " AND seq IS NOT NULL AND record > ? ORDER BY record LIMIT ?",
        rows.listed(sorted(scope.key for scope in snapshot.scopes.values())),
        after,
        limit,
    )
    return [row[0] for row in found]
