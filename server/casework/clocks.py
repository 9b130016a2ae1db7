"""X8: what clocks have to say as time goes by: soon due, missed, told to the next. One tick."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from server.casework.tables import Item
from server.casework.telling import tell
from server.clock import to_wire
from server.db import transaction

MOST = 500
"""So many clocks are told in one transaction."""


def tick(session: Session, now: datetime) -> int:
    """Tells the clocks whose time has come, the longest waiting first; how many there were."""
    with transaction(session):
        due = (
            select(Item)
            .where(Item.closed_at.is_(None), Item.paused_at.is_(None), Item.next_at <= to_wire(now))
            .order_by(Item.next_at)
            .limit(MOST)
            .options(undefer(Item.calendar))
            .with_for_update(skip_locked=True)
        )
        rows = list(session.scalars(due))
        for row in rows:
            tell(row, now)
    return len(rows)
