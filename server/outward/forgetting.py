"""How long events can be read and sent again. Records and their history are not touched."""

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.db import transaction
from server.outward.engine import Outward
from server.outward.tables import Delivery, Event

KEPT = timedelta(days=90)
CHUNK = 1000
"""Events that go in one transaction."""


def forget_events(session: Session, outward: Outward) -> int:
    """Removes events that were issued long ago, with their deliveries; how many.

    What is still on its way stays until it has arrived or was given up.
    """
    before, done = outward.clock.now() - KEPT, 0
    under_way = select(Delivery.key).where(
        Delivery.event == Event.key, Delivery.settled_at.is_(None)
    )
    old = (
        select(Event.key)
        .where(Event.issued_at < before, ~under_way.exists())
        .order_by(Event.key)
        .limit(CHUNK)
    )
    while True:
        with transaction(session):
            keys = list(session.scalars(old))
            session.execute(delete(Delivery).where(Delivery.event.in_(keys)))
            session.execute(delete(Event).where(Event.key.in_(keys)))
        if not keys:
            return done
        done += len(keys)
