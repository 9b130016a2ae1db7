"""P7: the scope digest broken down by the last byte of the record id, and the repair of buckets."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.db import told_faults
from server.errors import Problem
from server.people.principal import Principal
from server.sync.feed import to_wire_sum
from server.sync.items import held_scopes, item_text, records_by_key
from server.sync.tables import PUT
from server.sync.view import ScopeRow, Snapshot, look

MOST_ITEMS = 2000
"""Items that one repair brings; more of them is a case for a snapshot."""


def break_down(session: Session, reader: Principal, scope: str) -> bytes:
    """Count and sum of each of the 256 buckets that is not empty, as JSON.

    Raises Problem ``not_found`` for a scope that the reader does not hold (P5).
    """
    with told_faults():
        snapshot = look(session, reader)
        found = snapshot.rows.select(
            "SELECT substr(record.id, 35, 2), count(*), sum(feed.digest >> 32),"
            " sum(feed.digest & 4294967295) FROM feed JOIN record ON record.key = feed.record"
            f" WHERE feed.scope = ? AND feed.item = {PUT} AND feed.seq IS NOT NULL"
            " GROUP BY 1 ORDER BY 1",
            _need_scope(snapshot, reader, scope).key,
        )
    buckets = [
        {"bucket": row[0], "count": row[1], "sum": to_wire_sum((int(row[2]) << 32) + int(row[3]))}
        for row in found
    ]
    return orjson.dumps(_about(snapshot, scope) | {"buckets": buckets})


def repair(session: Session, reader: Principal, scope: str, buckets: Sequence[str]) -> bytes:
    """Everything live in these buckets of the scope, as JSON; what is not named is not there.

    More than :data:`MOST_ITEMS` answer ``resync_required`` ``digest_mismatch`` instead.
    """
    with told_faults():
        snapshot = look(session, reader)
        rows = snapshot.rows
        found = rows.select(
            "SELECT feed.record FROM feed JOIN record ON record.key = feed.record"
            f" WHERE feed.scope = ? AND feed.item = {PUT} AND feed.seq IS NOT NULL"
            f" AND {rows.among('substr(record.id, 35, 2)')} ORDER BY feed.record LIMIT ?",
            _need_scope(snapshot, reader, scope).key,
            rows.listed(buckets),
            MOST_ITEMS + 1,
        )
        records = records_by_key(rows, [row[0] for row in found])
    told = _about(snapshot, scope) | {"repaired": list(buckets)}
    if len(found) > MOST_ITEMS:
        return orjson.dumps(told | {"resync_required": "digest_mismatch"})
    items = [item_text(records[key], held_scopes(records[key], reader)) for key in sorted(records)]
    return with_items(told, items)


def with_items(told: dict[str, Any], items: Sequence[str]) -> bytes:
    """An answer with ``items``, which are JSON texts already."""
    return orjson.dumps(told)[:-1] + b',"items":[' + ",".join(items).encode() + b"]}"


def _about(snapshot: Snapshot, scope: str) -> dict[str, Any]:
    return {"protocol": 1, "epoch": snapshot.epoch, "scope": scope}


def _need_scope(snapshot: Snapshot, reader: Principal, scope: str) -> ScopeRow:
    if scope not in reader.scopes:
        raise Problem("not_found")
    return snapshot.scopes.get(scope, ScopeRow(0, scope, 0, 0, 0))
