"""Takes down what happened; nobody outside hears of it by this. Callers hold the transaction."""

from collections.abc import Iterable
from datetime import datetime

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.outward.catalogue import Happening
from server.outward.tables import Event, Place

CHUNK = 500

Noted = tuple[Happening, datetime]
"""What happened, and before when nobody outside may hear of it."""


def take_place(session: Session) -> Place:
    """How far everything was followed, locked: of two workers one follows at a time."""
    place = session.scalar(select(Place).with_for_update())
    if place is None:
        place = Place(id=1, feed=0, issued=0, clocks="")
        session.add(place)
        session.flush()
    return place


def note(session: Session, noted: Iterable[Noted]) -> int:
    """Takes down what does not stand already; how much that was."""
    wanted = {one.id: (one, not_before) for one, not_before in noted}
    fresh = wanted.keys() - known(session, wanted)
    session.add_all(_event(*wanted[id_]) for id_ in wanted if id_ in fresh)
    session.flush()
    return len(fresh)


def known(session: Session, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that were taken down."""
    asked, found = sorted(ids), set[str]()
    for start in range(0, len(asked), CHUNK):
        some = asked[start : start + CHUNK]
        found.update(session.scalars(select(Event.id).where(Event.id.in_(some))))
    return found


def _event(happening: Happening, not_before: datetime) -> Event:
    return Event(
        id=happening.id,
        type=happening.type,
        record=happening.record,
        at=happening.at,
        facts=orjson.dumps(dict(happening.facts)).decode(),
        not_before=not_before,
    )
