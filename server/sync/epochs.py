"""P1: the epoch that version numbers and cursors belong to."""

import secrets
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from server.clock import Clock, from_wire, to_wire
from server.db import transaction
from server.sync.tables import Epoch, FeedHead


def current_epoch(session: Session) -> str | None:
    """The name of the running epoch; None for a store that nobody has opened yet."""
    newest = select(Epoch.name).order_by(Epoch.number.desc()).limit(1)
    return session.execute(newest).scalar_one_or_none()


def changed_at(session: Session) -> datetime | None:
    """When the running epoch took over from an earlier one; None for the first."""
    newest = select(Epoch).order_by(Epoch.number.desc()).limit(1)
    epoch = session.scalar(newest)
    return from_wire(epoch.started_at) if epoch and epoch.number > 1 else None


def open_store(session: Session, clock: Clock) -> str:
    """The running epoch; begins the first one of a new store."""
    with transaction(session):
        found = current_epoch(session)
        if found is not None:
            return found
        name = f"e-{secrets.token_hex(4)}"
        began = {"number": 1, "name": name, "reason": "first", "started_at": to_wire(clock.now())}
        session.execute(insert(Epoch).values(**began))
        session.execute(insert(FeedHead).values(id=1, seq=0))
        return name
