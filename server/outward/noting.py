"""Takes down what happened; nobody outside hears of it by this. Callers hold the transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.outward.catalogue import Happening
from server.outward.tables import Event, Place


def take_place(session: Session) -> Place:
    """How far everything was followed, locked: of two workers one follows at a time."""
    place = session.scalar(select(Place).with_for_update())
    if place is None:
        place = Place(id=1, feed=0, issued=0, clocks="")
        session.add(place)
        session.flush()
    return place


def unknown(session: Session, happenings: Iterable[Happening]) -> list[Happening]:
    """Those of ``happenings`` that were not taken down yet."""
    wanted = {one.id: one for one in happenings}
    known = set(session.scalars(select(Event.id).where(Event.id.in_(list(wanted)))))
    return [one for id_, one in wanted.items() if id_ not in known]


def note(session: Session, happenings: Sequence[Happening], *, not_before: datetime) -> None:
    """Takes ``happenings`` down, none of which stands already."""
    session.add_all(
        Event(
            id=one.id,
            type=one.type,
            record=one.record,
            at=one.at,
            facts=orjson.dumps(dict(one.facts)).decode(),
            not_before=not_before,
        )
        for one in happenings
    )
    session.flush()
