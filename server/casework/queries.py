"""B1: what waits for whom. The one door for readers of open items."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from server.casework.tables import Item
from server.clock import from_wire
from server.people.principal import Principal, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWork:
    """One open item: who must do what about which record by when."""

    key: int
    """Its place in the queue, for the page that follows it."""
    record: str
    kind: str
    region: str | None
    role: Role
    task: str
    opened_at: datetime
    due_at: datetime


def waiting_for(
    session: Session,
    reader: Principal,
    *,
    kind: str | None = None,
    after: int | None = None,
    limit: int = 200,
) -> tuple[OpenWork, ...]:
    """B1: what waits for the roles of ``reader`` where they reach, the least time left first.

    ``after`` is the key of an item, open or closed by now: only what stands behind it in the
    queue, so that no page skips anything while its neighbours are being decided.
    """
    mine = select(Item).where(_is_open(), _reached(reader))
    if kind is not None:
        mine = mine.where(Item.kind == kind)
    last = None if after is None else session.get(Item, after)
    if last is not None:
        same_time = (Item.due_at == last.due_at) & (Item.key > last.key)
        mine = mine.where((Item.due_at > last.due_at) | same_time)
    mine = mine.order_by(Item.due_at, Item.key).limit(limit)
    return tuple(_work(item) for item in session.scalars(mine))


def count_waiting(session: Session, reader: Principal) -> dict[str, int]:
    """How many items wait for ``reader``, by kind."""
    counted = select(Item.kind, func.count().label("open")).where(_is_open(), _reached(reader))
    return {row.kind: row.open for row in session.execute(counted.group_by(Item.kind))}


def open_work(session: Session, records: Iterable[str]) -> dict[str, OpenWork]:
    """The open items of ``records`` by record."""
    found = select(Item).where(_is_open(), Item.record.in_(list(records)))
    return {item.record: _work(item) for item in session.scalars(found)}


def _is_open() -> ColumnElement[bool]:
    return Item.closed_at.is_(None)


def _reached(reader: Principal) -> ColumnElement[bool]:
    return or_(false(), *(_held(reader, role) for role in sorted(reader.roles)))


def _held(reader: Principal, role: Role) -> ColumnElement[bool]:
    regions = reader.reach([role])
    held = Item.role == role.value
    return held if regions is None else held & Item.region.in_(sorted(regions))


def _work(item: Item) -> OpenWork:
    return OpenWork(
        key=item.key,
        record=item.record,
        kind=item.kind,
        region=item.region,
        role=Role(item.role),
        task=item.task,
        opened_at=from_wire(item.opened_at),
        due_at=from_wire(item.due_at),
    )
