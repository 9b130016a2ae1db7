"""Tells the keeper of a record what became of its bytes, again and again until it was told."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from server.db import transaction
from server.media.engine import Media
from server.media.queries import Due, find_due
from server.media.tables import Arrival

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)

log = structlog.get_logger()


def tell_due(
    session: Session, media: Media, tell: Callable[[Due], bool], *, limit: int = 100
) -> int:
    """Hands each due arrival to ``tell``; where it says False, tries later, more and more rarely.

    The record of a photo may come long after its bytes: a create that waits for its parent.
    Returns how many were told.
    """
    told = 0
    for due in find_due(session, media.clock.now(), limit):
        done = _tell(session, tell, due)
        told += done
        wait = min(FIRST_WAIT * 2 ** min(due.tries, 12), LONGEST_WAIT)
        with transaction(session):
            session.execute(
                update(Arrival)
                .where(Arrival.key == due.key, Arrival.turn == due.turn)
                .values(due_at=None if done else media.clock.now() + wait, tries=due.tries + 1)
            )
    return told


def tell_again(session: Session, media: Media, sha256: str) -> None:
    """The keepers of every photo with these bytes are to be told of them; the caller commits."""
    session.execute(
        update(Arrival)
        .where(Arrival.sha256 == sha256, Arrival.part == "original", Arrival.state == "verified")
        .values(due_at=media.clock.now(), turn=Arrival.turn + 1, tries=0)
    )


def _tell(session: Session, tell: Callable[[Due], bool], due: Due) -> bool:
    """P8: one that fails is tried later and never stands in the way of the others."""
    try:
        return tell(due)
    except Exception:
        session.rollback()
        log.exception("telling_failed", photo=due.photo)
        return False
