"""B1: what waits for whom, and every clock there was. The one door for readers of items."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from server.casework.tables import Absence, Item
from server.clock import from_wire, to_wire
from server.people.principal import Principal, Role

Standing = Literal["running", "warned", "missed", "paused", "done", "done_late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWork:
    """An item: who must do what about which record by when, or had to."""

    key: int
    """Its place in the queue, for the page that follows it."""
    record: str
    kind: str
    region: str | None
    role: Role
    task: str
    person: str | None
    opened_at: datetime
    due_at: datetime
    warned_at: datetime | None
    missed_at: datetime | None
    escalated_to: Role | None
    pause: str | None
    """X8: why its clock stands still."""
    pauses: tuple[tuple[datetime, datetime, str], ...]
    closed_at: datetime | None
    closed_by: str | None

    def standing(self, now: datetime) -> Standing:
        """How its clock stands; what is done in the moment when it is due is done in time."""
        if self.closed_at is not None:
            return "done" if self.closed_at <= self.due_at else "done_late"
        if self.pause is not None:
            return "paused"
        if now > self.due_at:
            return "missed"
        return "warned" if self.warned_at else "running"


def waiting_for(
    session: Session,
    reader: Principal,
    *,
    now: datetime,
    kind: str | None = None,
    after: int | None = None,
    limit: int = 200,
) -> tuple[OpenWork, ...]:
    """B1: what waits for ``reader``, the least time left first.

    That is what waits for its roles where they reach, but for nobody else by name, or was told to
    its roles because it was missed. ``after`` is the key of an item, open or closed by now: only
    what stands behind it in the queue, so that no page skips anything while its neighbours are
    being decided.
    """
    mine = select(Item).where(_is_open(), _reached(session, reader, now))
    if kind is not None:
        mine = mine.where(Item.kind == kind)
    last = None if after is None else session.get(Item, after)
    if last is not None:
        same_time = (Item.due_at == last.due_at) & (Item.key > last.key)
        mine = mine.where((Item.due_at > last.due_at) | same_time)
    mine = mine.order_by(Item.due_at, Item.key).limit(limit)
    return tuple(_work(item) for item in session.scalars(mine))


def count_waiting(session: Session, reader: Principal, now: datetime) -> dict[str, int]:
    """How many items wait for ``reader``, by kind."""
    mine = _reached(session, reader, now)
    counted = select(Item.kind, func.count().label("open")).where(_is_open(), mine)
    return {row.kind: row.open for row in session.execute(counted.group_by(Item.kind))}


def open_work(session: Session, records: Iterable[str]) -> Mapping[str, tuple[OpenWork, ...]]:
    """The open items of ``records`` by record, the least time left first."""
    return _by_record(session, Item.record.in_(list(records)) & _is_open())


def all_work(session: Session, record: str) -> tuple[OpenWork, ...]:
    """X8: every item that a record ever had, those that are due first before the others."""
    return _by_record(session, Item.record == record).get(record, ())


def told_since(session: Session, since: str) -> tuple[OpenWork, ...]:
    """X8: items, open or closed by now, that a tick has warned of or found missed since then."""
    told = or_(Item.warned_at >= since, Item.missed_at >= since)
    found = session.scalars(select(Item).where(told).order_by(Item.key))
    return tuple(_work(item) for item in found)


def _by_record(session: Session, which: ColumnElement[bool]) -> Mapping[str, tuple[OpenWork, ...]]:
    found: dict[str, list[OpenWork]] = defaultdict(list)
    for item in session.scalars(select(Item).where(which).order_by(Item.due_at, Item.key)):
        found[item.record].append(_work(item))
    return {record: tuple(works) for record, works in found.items()}


def _is_open() -> ColumnElement[bool]:
    return Item.closed_at.is_(None)


def stands_for(session: Session, user: str, now: datetime) -> frozenset[str]:
    """Who is away now and has named ``user`` as deputy, and ``user``."""
    at = to_wire(now)
    away = select(Absence.person).where(
        Absence.deputy == user, Absence.begins_at <= at, Absence.ends_at > at
    )
    return frozenset({user, *session.scalars(away)})


def acting_for(session: Session, person: str, now: datetime) -> frozenset[str]:
    """``person``, and who acts in their place now."""
    at = to_wire(now)
    deputies = select(Absence.deputy).where(
        Absence.person == person, Absence.begins_at <= at, Absence.ends_at > at
    )
    return frozenset({person, *session.scalars(deputies)})


def _reached(session: Session, reader: Principal, now: datetime) -> ColumnElement[bool]:
    persons = stands_for(session, reader.user, now)
    mine = Item.person.is_(None) | Item.person.in_(sorted(persons))
    held = (_held(reader, role, mine) for role in sorted(reader.roles))
    return or_(false(), *held)


def _held(reader: Principal, role: Role, mine: ColumnElement[bool]) -> ColumnElement[bool]:
    regions = reader.reach([role])
    held = ((Item.role == role.value) & mine) | (Item.escalated_to == role.value)
    return held if regions is None else held & Item.region.in_(sorted(regions))


def _work(item: Item) -> OpenWork:
    return OpenWork(
        key=item.key,
        record=item.record,
        kind=item.kind,
        region=item.region,
        role=Role(item.role),
        task=item.task,
        person=item.person,
        opened_at=from_wire(item.opened_at),
        due_at=from_wire(item.due_at),
        warned_at=_moment(item.warned_at),
        missed_at=_moment(item.missed_at),
        escalated_to=Role(item.escalated_to) if item.escalated_to else None,
        pause=item.pause,
        pauses=tuple((from_wire(a), from_wire(b), why) for a, b, why in item.pauses or ()),
        closed_at=_moment(item.closed_at),
        closed_by=item.closed_by,
    )


def _moment(said: str | None) -> datetime | None:
    return None if said is None else from_wire(said)
