"""B1: what waits for whom, and every clock there was. The one door for readers of items."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, false, func, or_, select, true, tuple_, union_all
from sqlalchemy.orm import Session

from server.casework.tables import Absence, Item
from server.clock import from_wire, to_wire
from server.people.principal import Principal, Role
from server.people.rights import holding

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
    paused_at: datetime | None = None
    """Since when it does."""
    pauses: tuple[tuple[datetime, datetime, str], ...]
    closed_at: datetime | None
    closed_by: str | None

    def standing(self, now: datetime) -> Standing:
        """How its clock stands; what is done in the moment when it is due is done in time."""
        reached = min(at for at in (self.closed_at or now, self.paused_at) if at is not None)
        is_late = reached > self.due_at
        if self.closed_at is not None:
            return "done_late" if is_late else "done"
        if is_late:
            return "missed"
        if self.pause is not None:
            return "paused"
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

    That is what waits for its roles where they reach, but for nobody else by name who could do it,
    or was told to its roles because it was missed. ``after`` is the key of an item, open or closed
    by now: only what stands behind it in the queue, so that no page skips anything while its
    neighbours are being decided.
    """
    last = None if after is None else session.get(Item, after)
    place = (Item.due_at, Item.key)
    behind = true() if last is None else tuple_(*place) > tuple_(last.due_at, last.key)
    wanted = behind & (Item.kind == kind if kind is not None else true())
    # Each way leads along an index of its own, in order; what they share would be sorted whole.
    ways = [
        select(*place).where(way, wanted).order_by(*place).limit(limit).subquery()
        for way in _ways(session, reader, now)
    ]
    if not ways:
        return ()
    first = union_all(*(select(way) for way in ways)).subquery()
    keys = select(first.c.key).order_by(first.c.due_at, first.c.key).limit(limit)
    found = select(Item).where(Item.key.in_(keys)).order_by(*place)
    return tuple(_work(item) for item in session.scalars(found))


def count_waiting(session: Session, reader: Principal, now: datetime) -> dict[str, int]:
    """How many items wait for ``reader``, by kind."""
    ways = [
        select(Item.kind, func.count().label("open")).where(way).group_by(Item.kind)
        for way in _ways(session, reader, now)
    ]
    counted: dict[str, int] = defaultdict(int)
    for row in session.execute(union_all(*ways)) if ways else ():
        counted[row.kind] += row.open
    return dict(counted)


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


def _ways(session: Session, reader: Principal, now: datetime) -> list[ColumnElement[bool]]:
    """In which ways open items wait for ``reader``; none of them waits in two."""
    persons = sorted(stands_for(session, reader.user, now))
    mine = or_(Item.person.is_(None), Item.person.in_(persons))
    roles = sorted(reader.roles)
    own = {
        role: (Item.role == role.value) & (mine | _is_orphaned(role)) & _within(reader, role)
        for role in roles
    }
    told = {role: (Item.escalated_to == role.value) & _within(reader, role) for role in roles}
    nobody = or_(false(), *own.values()).is_not(true())
    return [_is_open() & way for way in (*own.values(), *(way & nobody for way in told.values()))]


def _is_orphaned(role: Role) -> ColumnElement[bool]:
    """B1: whether it is somebody's by name who can no longer do it, as the task came to another
    role, or the person lost theirs. What waits for its sender waits for nobody else."""
    if role == Role.REP:
        return false()
    return Item.person.not_in(holding(role))


def _within(reader: Principal, role: Role) -> ColumnElement[bool]:
    regions = reader.reach([role])
    return true() if regions is None else Item.region.in_(sorted(regions))


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
        paused_at=_moment(item.paused_at),
        pauses=tuple((from_wire(a), from_wire(b), why) for a, b, why in item.pauses or ()),
        closed_at=_moment(item.closed_at),
        closed_by=item.closed_by,
    )


def _moment(said: str | None) -> datetime | None:
    return None if said is None else from_wire(said)
