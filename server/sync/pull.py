"""P4, P5: changes behind a cursor, in order, in the reader's scopes; each page is one snapshot.

Bodies are sent as they are stored. A scope gained is back-filled newest first behind the tail; a
scope lost is one event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server.clock import to_wire
from server.db import told_faults
from server.people.principal import Principal
from server.rows import Row, Rows
from server.sync.cursor import Backfill, Cursor
from server.sync.engine import Sync
from server.sync.epochs import follow_epoch, reach
from server.sync.feed import to_wire_sum
from server.sync.given import ToldDevice, note_told
from server.sync.items import (
    RECORD_COLUMNS,
    RECORD_WIDTH,
    held_scopes,
    item_text,
    records_by_key,
)
from server.sync.view import FeedState, ScopeRow, Snapshot, glimpse, look

MAX_PAGE = 1000
DEFAULT_PAGE = 500


@dataclass(slots=True, kw_only=True)
class Page:
    """One page on its way out; ``items`` are JSON texts."""

    cursor: Cursor
    events: list[dict[str, str]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Records that the page takes away."""
    more: bool = False
    digest: list[dict[str, Any]] = field(default_factory=list)
    resync: str | None = None


def pull(
    sync: Sync, session: Session, reader: Principal, *, cursor: str | None, limit: int
) -> bytes:
    """The answer to a pull, as JSON. ``limit`` is at most :data:`MAX_PAGE`."""
    now = to_wire(sync.clock.now())
    with told_faults():
        snapshot = look(session, reader)
        page = _page(sync, snapshot, reader, cursor, min(max(limit, 1), MAX_PAGE))
        if page.resync == "cursor_ahead":
            # P1: it saw what this store has not: an older copy was put in its place.
            follow_epoch(session, sync.clock, ended=snapshot.epoch, reason="cursor_ahead")
            snapshot = look(session, reader)
        if reader.device is not None:
            began = cursor is None or page.resync is not None
            note_told(session, page_told(page, began=began), device=reader.device, at=now)
    return _render(sync, snapshot, page)


def answer_idle(
    sync: Sync, engine: Engine, reader: Principal, *, cursor: str | None
) -> bytes | None:
    """The answer to a pull by a device that has everything, as most have; None for others.

    One statement, and no session.
    """
    at = Cursor.read(sync.secret, cursor) if cursor is not None else None
    if at is None:
        return None
    state = glimpse(engine, reader)
    if state.unnumbered or at.stretch != state.stretch or _unusable(state, reader, at) is not None:
        return None
    behind = any(scope.last_seq > at.seq for scope in state.scopes.values())
    if behind or at.backfills or at.scopes != reader.scopes:
        return None
    page = Page(cursor=at.at(state.head), digest=_digests(state, reader))
    return _render(sync, state, page)


def page_told(page: Page, *, began: bool) -> ToldDevice:
    """What the device learns of its scopes by this page."""
    gained = {one["scope"] for one in page.events if one["event"] == "scope_enter"}
    lost = {one["scope"] for one in page.events if one["event"] == "scope_leave"}
    return ToldDevice(
        gained=frozenset(page.cursor.scopes if began else gained),
        lost=frozenset(lost),
        left=frozenset(page.left),
    )


def begin(snapshot: Snapshot, reader: Principal, *, seq: int = 0) -> Cursor:
    """A cursor that knows nothing before ``seq``."""
    return Cursor(
        epoch=snapshot.epoch,
        user=reader.user,
        device=reader.device,
        seq=seq,
        stretch=snapshot.stretch,
        floor=snapshot.floor,
        scopes=reader.scopes,
    )


def _page(sync: Sync, snapshot: Snapshot, reader: Principal, text: str | None, limit: int) -> Page:
    fresh = begin(snapshot, reader)
    if text is None:
        return _fill(snapshot, reader, Page(cursor=fresh), limit)
    cursor = Cursor.read(sync.secret, text)
    reason = _unusable(snapshot, reader, cursor)
    if cursor is not None and reason is None and _was_lost(snapshot, cursor):
        reason = "cursor_ahead"
    if cursor is None or reason is not None:
        return Page(cursor=fresh, resync=reason)
    here = replace(cursor, stretch=snapshot.stretch)
    return _fill(snapshot, reader, _follow_scopes(reader, here), limit)


def _unusable(snapshot: FeedState, reader: Principal, cursor: Cursor | None) -> str | None:
    """Why the device must begin anew, if it must."""
    if cursor is None or (cursor.user, cursor.device) != (reader.user, reader.device):
        return "cursor_unknown"
    if cursor.epoch != snapshot.epoch:
        return "epoch_changed"
    if cursor.seq < snapshot.floor != cursor.floor:
        return "cursor_too_old"
    return "cursor_ahead" if cursor.seq > snapshot.head else None


def _was_lost(snapshot: Snapshot, cursor: Cursor) -> bool:
    """P1: whether the place is one that this store never had, however far it has come by now."""
    if cursor.stretch == snapshot.stretch:
        return False
    return cursor.seq > reach(snapshot.rows, cursor.stretch)


def _follow_scopes(reader: Principal, cursor: Cursor) -> Page:
    """P5: scopes are read from the live tables; what was lost or gained since is said."""
    lost, gained = cursor.scopes - reader.scopes, reader.scopes - cursor.scopes
    events = [{"event": "scope_leave", "scope": scope} for scope in sorted(lost)]
    events += [{"event": "scope_enter", "scope": scope} for scope in sorted(gained)]
    kept = tuple(fill for fill in cursor.backfills if fill.scope not in lost)
    added = tuple(Backfill(scope=scope, until=cursor.seq) for scope in sorted(gained))
    moved = replace(cursor, scopes=reader.scopes, backfills=kept + added)
    return Page(cursor=moved, events=events)


def _fill(snapshot: Snapshot, reader: Principal, page: Page, limit: int) -> Page:
    """The tail first, so that new work arrives while a back-fill goes on behind it."""
    start = page.cursor.seq
    found = _tail(snapshot, start, limit + 1)
    page.more = len(found) > limit
    found = found[:limit]
    page.cursor = page.cursor.at(found[-1][-1] if page.more else snapshot.head)
    if not page.more and page.cursor.backfills:
        found += _backfill(snapshot, page, limit - len(found))
    page.items = list(_items(snapshot, reader, page, found, since=start))
    if not page.more and not page.cursor.backfills and not snapshot.unnumbered:
        page.digest = _digests(snapshot, reader)
    return page


NEWS = (
    f"SELECT {RECORD_COLUMNS}, feed.scope, feed.seq FROM feed JOIN record ON"
    " record.key = feed.record WHERE feed.scope = ? AND feed.seq"
)
"""Rows of the feed with their records; to ask for these one by one costs a fifth of a page."""


def _keep_to_the_feed(rows: Rows) -> None:
    """Has PostgreSQL follow the index of the feed and stop where the page is full.

    Where its statistics are older than what came since, it expects few rows, and would read all
    records of a scope and sort them for each page.
    """
    if not rows.sqlite:
        rows.execute("SET LOCAL enable_sort = off")


def _tail(snapshot: Snapshot, start: int, limit: int) -> list[Row]:
    """News behind ``start`` in order; scopes without news are not asked."""
    keys = [scope.key for scope in snapshot.scopes.values() if scope.last_seq > start]
    if not keys:
        return []
    _keep_to_the_feed(snapshot.rows)
    one = f"{NEWS} > ? ORDER BY feed.seq LIMIT ?"
    parameters = [value for key in keys for value in (key, start, limit)]
    if len(keys) == 1:  # no need to sort again
        return snapshot.rows.select(one, *parameters)
    statement = " UNION ALL ".join([f"SELECT * FROM ({one}) AS part"] * len(keys))
    return snapshot.rows.select(f"{statement} ORDER BY seq LIMIT ?", *parameters, limit)


def _backfill(snapshot: Snapshot, page: Page, limit: int) -> list[Row]:
    """The next rows of the first open back-fill, newest first."""
    first, *others = page.cursor.backfills
    scope = snapshot.scopes.get(first.scope)
    found: list[Row] = []
    if scope is not None and limit > 0:
        _keep_to_the_feed(snapshot.rows)
        found = snapshot.rows.select(
            f"{NEWS} <= ? ORDER BY feed.seq DESC LIMIT ?",
            scope.key,
            first.until,
            limit,
        )
    done = scope is None or (limit > 0 and len(found) < limit)
    rest = () if done else (Backfill(scope=first.scope, until=_below(found, first.until)),)
    page.cursor = replace(page.cursor, backfills=(*rest, *others))
    page.more = bool(page.cursor.backfills)
    return found


def _below(found: Sequence[Row], until: int) -> int:
    return found[-1][-1] - 1 if found else until


def _items(
    snapshot: Snapshot, reader: Principal, page: Page, found: Sequence[Row], *, since: int
) -> Iterable[str]:
    """One put a record, preceded by its parent's where the device may not have it; P5: one leave
    for each scope that a record has left."""
    records = {row[0]: row[:RECORD_WIDTH] for row in found}
    parents = {record[5] for record in records.values() if record[5]} - set(records)
    records |= records_by_key(snapshot.rows, _news(snapshot, parents, since))
    names = {scope.key: scope.name for scope in snapshot.scopes.values()}
    sent: set[tuple[int, int | None]] = set()
    for row in found:
        newest, scope = records[row[0]], row[RECORD_WIDTH]
        line = _with_parents(records, newest) if newest[5] in records else (newest,)
        for record in line:
            held = held_scopes(record, reader)
            said = (record[0], None if held else scope)
            if said in sent:
                continue
            sent.add(said)
            if not held:
                page.left.append(record[1])
            yield item_text(record, held, left=names[scope])


def _news(snapshot: Snapshot, parents: set[int], since: int) -> set[int]:
    """Of these parents, the ones whose newest row the device at ``since`` has not seen."""
    if not parents:
        return set()
    rows = snapshot.rows
    # The plus signs keep the search on the records, few as they are, and off a whole scope's rows.
    keys = rows.listed(sorted(scope.key for scope in snapshot.scopes.values()))
    found = rows.select(
        f"SELECT record FROM feed WHERE {rows.among('record')} AND {rows.among('+scope')}"
        " AND +seq > ?",
        rows.listed(sorted(parents)),
        keys,
        since,
    )
    return {row[0] for row in found}


def _with_parents(records: Mapping[int, Row], record: Row) -> Sequence[Row]:
    """The record behind those of its ancestors that are at hand."""
    line = [record]
    while (parent := records.get(line[0][5])) is not None:
        line.insert(0, parent)
    return line


def _digests(snapshot: FeedState, reader: Principal) -> list[dict[str, Any]]:
    """P7: what the device must hold at this place, scope by scope."""
    empty = {name: ScopeRow(0, name, 0, 0, 0) for name in reader.scopes}
    return [
        {"scope": name, "count": row.records, "sum": to_wire_sum(row.digest)}
        for name, row in sorted({**empty, **snapshot.scopes}.items())
    ]


def _render(sync: Sync, snapshot: FeedState, page: Page) -> bytes:
    answer: dict[str, Any] = {
        "protocol": 1,
        "epoch": snapshot.epoch,
        "server_time": to_wire(sync.clock.now()),
        "cursor": None if page.resync else page.cursor.write(sync.secret),
        "more": page.more,
        "backfilling": [fill.scope for fill in page.cursor.backfills],
        "events": page.events,
        "digest": page.digest,
        "backoff": 0 if page.more else sync.poll_seconds,
    }
    if page.resync:
        answer["resync_required"] = page.resync
    outside = orjson.dumps(answer)
    return outside[:-1] + b',"items":[' + ",".join(page.items).encode() + b"]}"
