"""X8: takes down what clocks said: that something is due soon, and that it was missed."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.queries import OpenWork, told_since
from server.clock import from_wire, to_wire
from server.db import transaction
from server.outward.catalogue import EventType, Happening, is_casework
from server.outward.engine import Outward
from server.outward.noting import note, take_place, unknown
from server.outward.tables import Place

OVERLAP = timedelta(minutes=1)
"""So far behind the newest is looked again, for ticks that committed after a later one."""


def follow_clocks(session: Session, outward: Outward) -> int:
    """Takes down what clocks have said since the last time; how much that was."""
    reached = session.scalar(select(Place.clocks)) or ""
    works = told_since(session, to_wire(from_wire(reached) - OVERLAP) if reached else "")
    newest = max((at for work in works for _type, at in _said(work)), default="")
    heard = (work for work in works if is_casework(outward.registry.get(work.kind)))
    fresh = unknown(session, [one for work in heard for one in _happenings(work)])
    if not fresh and newest <= reached:
        return 0
    with transaction(session):
        place = take_place(session)
        note(session, unknown(session, fresh), not_before=outward.clock.now())
        place.clocks = max(place.clocks, newest)
    return len(fresh)


def _said(work: OpenWork) -> Iterator[tuple[EventType, str]]:
    if work.warned_at is not None:
        yield "deadline.warned", to_wire(work.warned_at)
    if work.missed_at is not None:
        yield "deadline.missed", to_wire(work.missed_at)


def _happenings(work: OpenWork) -> Iterator[Happening]:
    told = {"escalated_to": work.escalated_to.value} if work.escalated_to else {}
    facts = {"task": work.task, "role": work.role.value, "due_at": to_wire(work.due_at), **told}
    source = f"{work.task} {to_wire(work.opened_at)}"
    for type_, at in _said(work):
        yield Happening(type=type_, record=work.record, source=source, at=at, facts=facts)
