"""What the server's own work asks of market cases. Reads only."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.tables import Item

CASE = "cross_region_case"


def unanswered_cases(session: Session) -> tuple[str, ...]:
    """X6: cases whose accused had time to answer, and a tick has found it over."""
    late = (Item.kind == CASE) & (Item.task == "rebuttal") & Item.missed_at.is_not(None)
    return tuple(session.scalars(select(Item.record).where(late, Item.closed_at.is_(None))))
