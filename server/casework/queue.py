"""Opens, keeps, pauses and closes items: what a change asked for, in the change's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.casework.deadlines import Clock, Pause, due_at, warn_at
from server.casework.items import OpenItem
from server.casework.tables import Item
from server.casework.telling import after, calendar_of, tell_if_missed, write_calendar
from server.clock import from_wire, to_wire
from server.rows import Row, Rows, as_table
from server.values import Value

ITEM = as_table(Item)
STARTED = (
    "role", "task", "person", "opened_at", "warn_at", "due_at", "next_at", "term_seconds",
    "warn_seconds", "calendar", "escalation", "escalated", "paused_at", "pause",
)  # fmt: skip


class Asked(Value, frozen=True):
    """What waits about one record from now on; of several on a record, the last one stands."""

    is_new: bool
    """The record is born in this transaction, so that it has no open item."""

    record: str
    kind: str
    region: str | None
    waits: tuple[OpenItem, ...]


def apply(session: Session, asked: Sequence[Asked], *, by: str, at: datetime) -> None:
    """Makes the open items of the records that are named those that were asked for (B1)."""
    open_items(Rows(session), settle(session, asked, by=by, at=at))


def open_items(rows: Rows, fresh: Sequence[Row]) -> None:
    """Opens what :func:`settle` found to be new."""
    rows.insert(ITEM, ("record", "kind", "region", *STARTED), fresh)


def settle(session: Session, asked: Sequence[Asked], *, by: str, at: datetime) -> list[Row]:
    """Ends, keeps and pauses the items that are there; gives those that are to be opened."""
    if not asked:
        return []
    last = {one.record: one for one in asked}
    _take_back(session, last.values(), by=by, at=at)
    there = _open_items(session, [one.record for one in last.values() if not one.is_new])
    started: dict[int, Row] = {}
    fresh: list[Row] = []
    for one in last.values():
        known = there.get(one.record, {})
        wanted = {item.task: item for item in one.waits}
        for task, row in known.items():
            stays = wanted.get(task)
            _go_on(row, None if stays and _is_anew(stays) else stays, by=by, at=at)
        for item in one.waits:
            if _is_anew(item) or item.task not in known:
                clock = started.get(id(item)) or started.setdefault(id(item), _start(item, at))
                fresh.append((one.record, one.kind, one.region, *clock))
    session.flush()  # before their successors come
    return fresh


def _open_items(session: Session, records: Sequence[str]) -> Mapping[str, Mapping[str, Item]]:
    """Record → task → its open item."""
    found: dict[str, dict[str, Item]] = defaultdict(dict)
    if records:
        mine = select(Item).where(Item.record.in_(records), Item.closed_at.is_(None))
        for row in session.scalars(mine.execution_options(populate_existing=True)):
            found[row.record][row.task] = row
    return found


def _is_anew(item: OpenItem) -> bool:
    return item.anew and not item.goes_on


def _take_back(session: Session, asked: Iterable[Asked], *, by: str, at: datetime) -> None:
    """B2: what a decision had ended goes on, when the decision is undone; what it had begun anew
    ends."""
    for one in asked:
        for item in one.waits:
            if item.goes_on and item.anew:
                begun = Item.record == one.record, Item.task == item.task, Item.closed_at.is_(None)
                ended = update(Item).where(*begun).values(closed_at=to_wire(at), closed_by=by)
                session.execute(ended)
            if item.goes_on:
                _go_back(session, one, item)


def _go_back(session: Session, asked: Asked, item: OpenItem) -> None:
    """P5: in the region where its record is by now."""
    same = select(Item).where(Item.record == asked.record, Item.task == item.task)
    last = session.scalars(same.order_by(Item.key.desc()).offset(int(item.anew)).limit(1)).first()
    if last is not None:
        last.closed_at = last.closed_by = None
        last.region = asked.region
        session.flush()


def _start(item: OpenItem, at: datetime) -> Row:
    """What every item that is opened for ``item`` says alike, in the order of STARTED."""
    begun = item.since or at  # X8: office clocks start at the server
    clock = Clock(started_at=begun, term=item.term, calendar=item.calendar, warn=item.warn)
    paused_at = to_wire(at) if item.pause else None
    return (
        item.role.value, item.task, item.person,
        to_wire(begun), *_times(clock), int(item.term.total_seconds()),
        int(item.warn.total_seconds()), write_calendar(item.calendar),
        " ".join(item.escalation), 0, paused_at, item.pause or None,
    )  # fmt: skip


def _times(clock: Clock) -> tuple[str, str, str]:
    """When a clock whose pauses have all ended warns, is due, and says something next."""
    warn, due = warn_at(clock), due_at(clock)
    if warn is None or due is None:
        raise ValueError("a clock that stands still is not due")
    return to_wire(warn), to_wire(due), to_wire(warn) if clock.warn else after(due)


def _go_on(row: Item, item: OpenItem | None, *, by: str, at: datetime) -> None:
    """An item that waited already: done, or still wanted, by whom and with its clock running."""
    tell_if_missed(row, at)
    if item is None:
        row.closed_at, row.closed_by = to_wire(at), by
        return
    row.role, row.person = item.role.value, item.person
    if item.pause and row.paused_at is None:
        row.paused_at, row.pause = to_wire(at), item.pause
    elif row.paused_at is not None and not item.pause:
        _resume(row, at)


def _resume(row: Item, at: datetime) -> None:
    """X8: what was left when the clock stood still is left now; one that was missed stays so."""
    row.pauses = [*(row.pauses or ()), [row.paused_at, to_wire(at), row.pause]]
    row.paused_at = row.pause = None
    if row.missed_at is None:
        pauses = (Pause(start=from_wire(a), end=from_wire(b), reason=c) for a, b, c in row.pauses)
        clock = Clock(
            started_at=from_wire(row.opened_at),
            term=timedelta(seconds=row.term_seconds),
            calendar=calendar_of(row),
            warn=timedelta(seconds=row.warn_seconds),
            pauses=tuple(pauses),
        )
        row.warn_at, row.due_at, row.next_at = _times(clock)


def move(session: Session, regions: Mapping[str, str | None]) -> None:
    """Hands the open items of records that moved to the role in their new region."""
    for region in set(regions.values()):
        records = [record for record, now in regions.items() if now == region]
        open_items = Item.record.in_(records) & Item.closed_at.is_(None)
        session.execute(update(Item).where(open_items).values(region=region))
