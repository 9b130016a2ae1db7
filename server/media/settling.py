"""Tells the keeper of a record what became of its bytes, again and again until it was told."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import cast

import structlog
from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm import Session

from server.db import let_go, transaction
from server.media.engine import Media
from server.media.queries import Due, find_due, find_put_off
from server.media.tables import AT_ONCE, Arrival

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)

ROW = cast("Table", Arrival.__table__).c
NOTED = (
    update(cast("Table", Arrival.__table__))
    .where(ROW.key == bindparam("key_"), ROW.turn == bindparam("turn_"))
    .values(due_at=bindparam("due_at"), tries=bindparam("tries"))
)

log = structlog.get_logger()


Tell = Callable[[Sequence[Due]], Collection[int]]
"""Tells the keeper of each record, no record twice; the keys of those that need no more telling."""


def tell_due(session: Session, media: Media, tell: Tell, *, limit: int = 100) -> int:
    """Hands what is due to ``tell``; what that leaves out is due later, more and more rarely.

    The record of a photo may come long after its bytes: a create that waits for its parent.
    Requests that come together are told together. Returns how many were told.
    """
    let_go(session)  # no connection is held while others tell
    return media.telling.run(lambda: _tell_all(session, media, tell, limit))


def _tell_all(session: Session, media: Media, tell: Tell, limit: int) -> int:
    waiting, told = _find_waiting(session, media.clock.now(), limit), 0
    while waiting:
        batch = _first_of_each(waiting)
        done = _told(session, tell, batch)
        _note_told(session, media, batch, done)
        told += len(done)
        seen = {due.key for due in batch}
        waiting = [due for due in waiting if due.key not in seen]
    return told


def _find_waiting(session: Session, now: datetime, limit: int) -> list[Due]:
    """P8: what lies farther off than it can be put off was noted before the clock was set back."""
    due = find_due(session, now, limit)
    return due or find_put_off(session, now + LONGEST_WAIT, limit)


def _first_of_each(waiting: Sequence[Due]) -> list[Due]:
    firsts: dict[str, Due] = {}
    for due in waiting:
        firsts.setdefault(due.photo, due)
    return list(firsts.values())


def _note_told(session: Session, media: Media, batch: Sequence[Due], done: Collection[int]) -> None:
    now = media.clock.now()
    with transaction(session):
        session.connection().execute(
            NOTED,
            [
                {
                    "key_": due.key,
                    "turn_": due.turn,
                    "due_at": None if due.key in done else now + _wait(due),
                    "tries": due.tries + 1,
                }
                for due in batch
            ],
        )


def _wait(due: Due) -> timedelta:
    doubled: timedelta = FIRST_WAIT * 2 ** min(due.tries, 12)
    return min(doubled, LONGEST_WAIT)


def tell_again(session: Session, sha256: str) -> None:
    """The keepers of every photo with these bytes are to be told of them; the caller commits."""
    session.execute(
        update(Arrival)
        .where(Arrival.sha256 == sha256, Arrival.part == "original", Arrival.state == "verified")
        .values(due_at=AT_ONCE, turn=Arrival.turn + 1, tries=0)
    )


def _told(session: Session, tell: Tell, batch: Sequence[Due]) -> set[int]:
    """P8: where one of several fails each is told by itself, and it stands in nobody's way."""
    try:
        return set(tell(batch))
    except Exception:
        session.rollback()
        if len(batch) == 1:
            log.exception("telling_failed", photo=batch[0].photo)
            return set()
    return set().union(*(_told(session, tell, [due]) for due in batch))
