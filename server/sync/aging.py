"""How far back devices hold: closed work leaves them after ``hold_months``, and old traces go.

Nothing is erased: the record, its history and its scopes stay, and a write brings it back.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import orjson
from sqlalchemy.orm import Session

from server.clock import to_wire
from server.db import begin_snapshot, told_faults, transaction
from server.rows import Row, Rows, as_table
from server.sync import feed
from server.sync.batch import LIVE
from server.sync.engine import Sync
from server.sync.feed import FeedRow, record_digest
from server.sync.store import find_scopes
from server.sync.tables import LEAVE, PUT, WITHDRAWAL, FeedMark, Record

RECORD, FEED_MARK = as_table(Record), as_table(FeedMark)
CHUNK = 500
"""Records that leave in one transaction."""

KEPT_DAYS = 400
"""How long the feed says that something was withdrawn or left (PROTOCOL *feed*)."""

MONTH = timedelta(days=365.25 / 12)


def sweep_aged(session: Session, sync: Sync, *, months: int) -> int:
    """Lets closed records that nobody wrote for ``months`` leave the devices; how many did."""
    before = to_wire(sync.clock.now() - months * MONTH)
    done = 0
    with told_faults():
        for keys in list(_closed_before(session, sync, before)):
            done += _let_go(session, keys, before)
    return done


def _closed_before(session: Session, sync: Sync, before: str) -> Iterator[list[int]]:
    last = 0
    while True:
        begin_snapshot(session)
        found = Rows(session).select(
            "SELECT key, kind, data FROM record WHERE key > ? AND NOT aged AND updated_at < ?"
            " ORDER BY key LIMIT ?",
            last,
            before,
            CHUNK,
        )
        if not found:
            return
        last = found[-1][0]
        closed = [
            key
            for key, kind, data in found
            if (known := sync.registry.get(kind)) and known.is_closed(orjson.loads(data))
        ]
        if closed:
            yield closed


def _let_go(session: Session, keys: Sequence[int], before: str) -> int:
    """Marks the records and what hangs under them, unless somebody wrote one meanwhile."""
    with transaction(session):
        rows = Rows(session)
        lock = "" if rows.sqlite else " ORDER BY key FOR UPDATE"
        found = rows.select(
            "WITH RECURSIVE below(key) AS ("
            f"SELECT key FROM record WHERE {rows.among('key')}"
            " UNION SELECT record.key FROM record JOIN below ON record.parent = below.key)"
            " SELECT key, id, version, state, scopes, hash, updated_at FROM record"
            f" WHERE key IN (SELECT key FROM below) AND NOT aged AND updated_at < ?{lock}",
            rows.listed(keys),
            before,
        )
        rows.update(RECORD, ("key", "aged"), [(row[0], True) for row in found])
        _write_leaves(rows, found)
        return len(found)


def _write_leaves(rows: Rows, found: Sequence[Row]) -> None:
    names = {scope for row in found for scope in orjson.loads(row[4])}
    sums = find_scopes(rows, sorted(names))
    fresh: list[FeedRow] = []
    replaced: list[FeedRow] = []
    for key, id_, version, state, scopes, data_hash, _updated in found:
        live = state == LIVE
        digest = record_digest(id_, version, data_hash) if live else 0
        for scope in orjson.loads(scopes):
            place = sums[scope].key
            fresh.append(FeedRow(place, key, LEAVE, version, 0))
            replaced.append(FeedRow(place, key, PUT if live else WITHDRAWAL, version, digest))
    feed.append(rows, fresh, replaced, sums.values())


def mark_day(session: Session, now: datetime) -> int:
    """Notes once a day where the feed stands; 1 if it did."""
    day = now.date().isoformat()
    session.rollback()
    if Rows(session).select("SELECT 1 FROM feed_mark WHERE day = ?", day):
        return 0
    with transaction(session):
        rows = Rows(session)
        [[head]] = rows.select("SELECT seq FROM feed_head")
        rows.insert(FEED_MARK, ("day", "seq"), [(day, head)], skip_known=True)
    return 1


def compact(session: Session, now: datetime) -> int:
    """Removes withdrawals and leaves older than :data:`KEPT_DAYS`; how many.

    A cursor from before must begin anew (``cursor_too_old``); the records themselves stay.
    """
    day = (now - timedelta(days=KEPT_DAYS)).date().isoformat()
    with told_faults(), transaction(session):
        rows = Rows(session)
        marks = rows.select("SELECT max(seq) FROM feed_mark WHERE day <= ?", day)
        upto = marks[0][0] or 0
        removed = rows.execute(
            f"DELETE FROM feed WHERE item IN ({WITHDRAWAL}, {LEAVE}) AND seq <= ?", upto
        )
        if removed:
            rows.execute("UPDATE feed_head SET floor = ? WHERE floor < ?", upto, upto)
        rows.execute("DELETE FROM feed_mark WHERE day < ?", day)
        return removed
