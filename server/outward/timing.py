"""X8: takes down what clocks said: that something is due soon, and that it was missed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.queries import OpenWork, told_since
from server.clock import from_wire, to_wire
from server.db import transaction
from server.outward.catalogue import EventType, Happening, is_casework
from server.outward.engine import Outward
from server.outward.forgetting import KEPT
from server.outward.noting import known, note, take_place
from server.outward.tables import Place

OVERLAP = timedelta(minutes=1)
"""So far behind the newest is looked again, for ticks that committed after a later one."""

OLDEST = KEPT - timedelta(days=30)
"""What spoke before that is not looked at again, since its event may have been forgotten."""


def follow_clocks(session: Session, outward: Outward) -> int:
    """Takes down what clocks have said since the last time; how much that was."""
    now, reached = outward.clock.now(), session.scalar(select(Place.clocks)) or ""
    works = told_since(session, _since(reached, now))
    newest = max((at for work in works for _type, at in _said(work)), default="")
    heard = (work for work in works if is_casework(outward.registry.get(work.kind)))
    said = {one.id: one for work in heard for one in _happenings(work)}
    if newest <= reached and not said.keys() - known(session, said):
        return 0
    with transaction(session):
        place = take_place(session)
        done = note(session, [(one, now) for one in said.values()])
        place.clocks = max(place.clocks, newest)
    return done


def _since(reached: str, now: datetime) -> str:
    return to_wire(max(from_wire(reached) - OVERLAP, now - OLDEST)) if reached else ""


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
