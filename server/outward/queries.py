"""Events as they stand: what was issued, and what still waits and for what. Reads only."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.outward.fanning import wants
from server.outward.tables import Event, Hook
from server.sync.epochs import current_epoch

PAGE = 100
NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events in the order in which they were issued."""

    events: list[dict[str, Any]]
    cursor: str
    """Where the next page begins."""
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An event that waits."""

    id: str
    type: str
    record: str
    at: str
    waits_for: tuple[str, ...]
    """What has not arrived, such as ``photo 0193… declared``; empty: for its time."""


def events_after(session: Session, hook: Hook, cursor: str | None) -> Page:
    """The next events that ``hook`` asked for, behind ``cursor``.

    A cursor of another epoch, or none, begins at the oldest event: after a restore numbers are
    given anew, and a reader leaves out the ids that it knows.
    """
    epoch = current_epoch(session)
    place = read_cursor(cursor, epoch)
    found = list(
        session.scalars(select(Event).where(Event.seq > place).order_by(Event.seq).limit(PAGE + 1))
    )
    page = found[:PAGE]
    bodies = [orjson.loads(event.body or "") for event in page]
    last = page[-1].seq if page else place
    return Page(
        events=[body for body in bodies if wants(hook, body["type"], body["data"]["kind"])],
        cursor=f"{epoch}.{last}",
        more=len(found) > PAGE,
    )


def read_cursor(cursor: str | None, epoch: str | None) -> int:
    """The number that ``cursor`` stands for; 0 for one that is not of ``epoch``."""
    named, _dot, number = (cursor or "").rpartition(".")
    return int(number) if named == epoch and NUMBER.fullmatch(number) else 0


def list_held(session: Session, *, limit: int = 100) -> list[Held]:
    """P8: events that wait, the oldest first, each with what it waits for."""
    waiting = select(Event).where(Event.seq.is_(None)).order_by(Event.key).limit(limit)
    return [_held(event) for event in session.scalars(waiting)]


def _held(event: Event) -> Held:
    missing = orjson.loads(event.waits_for) if event.waits_for else []
    return Held(
        id=event.id,
        type=event.type,
        record=event.record,
        at=event.at,
        waits_for=tuple(f"{one['kind']} {one['record']} {one['state']}" for one in missing),
    )
