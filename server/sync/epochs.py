"""P1: the epoch that version numbers and cursors belong to, and its stretches, by which a server
sees that a cursor is not of this store."""

import secrets
from datetime import datetime
from typing import Literal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from server.clock import Clock, from_wire, to_wire
from server.db import transaction
from server.rows import Rows
from server.sync.tables import Epoch, FeedHead, Stretch

Reason = Literal["first", "restored", "cursor_ahead"]
"""Why an epoch began: a new store; a backup; a device that knew more than the store does."""


NEWEST = "SELECT name, number, started_at FROM epoch ORDER BY number DESC LIMIT 1"
"""In plain words: every greeting asks, and to put a statement together takes longer than this."""


def current_epoch(session: Session) -> str | None:
    """The name of the running epoch; None for a store that nobody has opened yet."""
    epoch = session.connection().exec_driver_sql(NEWEST).one_or_none()
    return None if epoch is None else str(epoch.name)


def first_epoch(session: Session) -> str:
    """The name of a store's first epoch: what the store and all its backups have in common."""
    return session.execute(select(Epoch.name).where(Epoch.number == 1)).scalar_one()


def changed_at(session: Session) -> datetime | None:
    """When the running epoch took over from an earlier one; None for the first."""
    epoch = session.connection().exec_driver_sql(NEWEST).one_or_none()
    return from_wire(epoch.started_at) if epoch and epoch.number > 1 else None


def open_store(session: Session, clock: Clock) -> str:
    """The running epoch; begins the first one of a new store, and a stretch of the feed.

    Nothing may be numbered since the store was put where it is.
    """
    with transaction(session):
        found = current_epoch(session)
        if found is None:
            session.execute(insert(FeedHead).values(id=1, seq=0, floor=0))
            found = add_epoch(session, clock, reason="first")
        _begin_stretch(session)
        return found


def _begin_stretch(session: Session) -> None:
    # Whoever holds the head of the feed is alone: no cursor of the last one can lie beyond its end.
    seq = session.execute(select(FeedHead.seq).with_for_update()).scalar_one()
    session.execute(insert(Stretch).values(name=secrets.token_hex(4), began=seq))


REACH = (
    "SELECT (SELECT later.began FROM feed_stretch AS later WHERE later.number > own.number"
    " ORDER BY later.number LIMIT 1) FROM feed_stretch AS own WHERE own.name = ?"
)


def reach(rows: Rows, stretch: str) -> int:
    """The last place of a stretch that is over; -1 where this store never had it."""
    found = rows.select(REACH, stretch)
    return int(found[0][0]) if found else -1


def follow_epoch(session: Session, clock: Clock, *, ended: str, reason: Reason) -> str:
    """The epoch after ``ended``; begins it unless somebody else has done so."""
    with transaction(session):
        # Whoever holds the head of the feed is alone, on PostgreSQL too.
        session.execute(select(FeedHead.seq).with_for_update())
        running = current_epoch(session)
        if running is not None and running != ended:
            return running
        return add_epoch(session, clock, reason=reason)


def add_epoch(session: Session, clock: Clock, *, reason: Reason) -> str:
    """Begins an epoch in the caller's transaction; versions made before it belong to others."""
    newest = session.scalar(select(Epoch.number).order_by(Epoch.number.desc()).limit(1))
    name = f"e-{secrets.token_hex(4)}"
    session.execute(
        insert(Epoch).values(
            number=(newest or 0) + 1,
            name=name,
            reason=reason,
            started_at=to_wire(clock.now()),
        )
    )
    return name
