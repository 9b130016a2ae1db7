"""X8: what clocks have to say as time goes by: soon due, missed, told to the next. One tick."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.queue import after
from server.casework.tables import Item
from server.clock import from_wire, to_wire
from server.db import transaction

MOST = 500
"""So many clocks are told in one transaction."""
NEVER = "9999-12-31T00:00:00.000Z"


def tick(session: Session, now: datetime) -> int:
    """Tells the clocks whose time has come, the longest waiting first; how many there were."""
    with transaction(session):
        due = (
            select(Item)
            .where(Item.closed_at.is_(None), Item.paused_at.is_(None), Item.next_at <= to_wire(now))
            .order_by(Item.next_at)
            .limit(MOST)
            .with_for_update(skip_locked=True)
        )
        rows = list(session.scalars(due))
        for row in rows:
            _tell(row, now)
    return len(rows)


def _tell(row: Item, now: datetime) -> None:
    due = from_wire(row.due_at)
    if now <= due:
        row.warned_at, row.next_at = row.warned_at or to_wire(now), after(due)
        return
    row.missed_at = row.missed_at or to_wire(now)
    told = row.escalation.split()
    passed = int((now - due).total_seconds()) // max(row.term_seconds, 1)
    row.escalated = min(passed + 1, len(told))
    row.escalated_to = told[row.escalated - 1] if row.escalated else None
    further = due + timedelta(seconds=max(row.term_seconds, 1) * row.escalated)
    row.next_at = to_wire(further) if row.escalated < len(told) else NEVER
