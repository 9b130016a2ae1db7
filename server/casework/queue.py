"""Opens and closes items: what a change asked for, written in the change's own transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from server.casework.items import Effect, OpenItem
from server.casework.tables import Item
from server.clock import to_wire
from server.rows import Row, Rows, as_table
from server.values import Value

ITEM = as_table(Item)
ASKED = ("role", "task", "opened_at", "due_at")


class Asked(Value, frozen=True):
    """One effect of one record; of several on a record, the last one stands."""

    is_new: bool
    """The record is born in this transaction, so that it has no open item."""

    record: str
    kind: str
    region: str | None
    effect: Effect


def apply(session: Session, asked: Sequence[Asked], *, by: str, at: datetime) -> None:
    """Closes the open items of the records that are named, then opens what was asked for."""
    if not asked:
        return
    last = {one.record: one for one in asked}
    known = [one.record for one in last.values() if not one.is_new]
    if known:
        open_items = Item.record.in_(known) & Item.closed_at.is_(None)
        closed = update(Item).where(open_items).values(closed_at=to_wire(at), closed_by=by)
        session.execute(closed)
    wanted = {one.effect for one in asked}
    items = {effect: _item(effect, at) for effect in wanted if isinstance(effect, OpenItem)}
    opened = [
        (one.record, one.kind, one.region, *items[one.effect])
        for one in last.values()
        if isinstance(one.effect, OpenItem)
    ]
    Rows(session).insert(ITEM, ("record", "kind", "region", *ASKED), opened)


def _item(effect: OpenItem, at: datetime) -> Row:
    """What every item that is opened for ``effect`` says alike, in the order of ASKED."""
    due_at = at + effect.term  # X8: office clocks start at the server
    return (effect.role.value, effect.task, to_wire(at), to_wire(due_at))


def move(session: Session, regions: Mapping[str, str | None]) -> None:
    """Hands the open items of records that moved to the role in their new region."""
    for region in set(regions.values()):
        records = [record for record, now in regions.items() if now == region]
        open_items = Item.record.in_(records) & Item.closed_at.is_(None)
        session.execute(update(Item).where(open_items).values(region=region))
