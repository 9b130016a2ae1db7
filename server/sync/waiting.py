"""P8: the sweep over what waits: decides what can be decided now, and refuses what waited too long.

A push decides what it brings; this finds what a push left over: a kind that an upgrade made known,
more than one batch takes along, a right that was given meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import orjson
from sqlalchemy.orm import Session

from server.clock import to_wire
from server.db import told_faults, transaction
from server.people import rights
from server.rows import Rows
from server.sync.batch import Sender
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.wire import MAX_BATCH

KIND = "kind:"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mutation that waits, with what a new decision needs."""

    key: int
    id: str
    user: str
    device: str | None
    writer: Sender
    body: str
    is_late: bool

    @property
    def sender(self) -> tuple[str, str, Sender]:
        """Whose it is, and as what: a decision of the office waits where a restore lost its
        record."""
        return self.user, self.device or "", self.writer


def sweep_waiting(session: Session, sync: Sync, *, term: timedelta) -> int:
    """Looks at waiting mutations, the longest unseen first; how many got a final outcome.

    ``term``: how long one may wait for a record (policy ``waiting_days``), counted anew from the
    start of an epoch; what waits for a kind has no term.
    """
    now = sync.clock.now()
    with told_faults():
        found = _find(session, sync, late=to_wire(now - term))
        _mark(session, found, now)
    return sum(
        _decide(session, sync, list(own))
        for _sender, own in groupby(found, key=lambda one: one.sender)
    )


def _find(session: Session, sync: Sync, *, late: str) -> list[Waiting]:
    """What may have become decidable, and what waited longer than it may."""
    session.rollback()
    rows = Rows(session)
    kinds = rows.listed([f"{KIND}{name}" for name in sync.registry.kinds])
    found = rows.select(
        'SELECT mutation.key, mutation.id, mutation."user", mutation.device,'
        " mutation.writer, mutation.body,"
        " min(mutation.received_at) < ?"
        " AND (SELECT started_at FROM epoch ORDER BY number DESC LIMIT 1) < ?"
        f" AND count(CASE WHEN substr(awaited.awaited, 1, {len(KIND)}) = '{KIND}' THEN 1 END) = 0"
        " FROM awaited JOIN mutation ON mutation.key = awaited.mutation"
        " LEFT JOIN record ON record.id = awaited.awaited"
        f" WHERE record.id IS NOT NULL OR {rows.among('awaited.awaited')}"
        " OR mutation.received_at < ?"
        ' GROUP BY mutation.key, mutation.id, mutation."user", mutation.device,'
        " mutation.writer, mutation.body"
        " ORDER BY min(awaited.looked_at), mutation.key LIMIT ?",
        late,
        late,
        kinds,
        late,
        MAX_BATCH,
    )
    waiting = [Waiting(*row) for row in found]
    return sorted(waiting, key=lambda one: (*one.sender, one.key))


def _mark(session: Session, found: Sequence[Waiting], now: datetime) -> None:
    """So that what cannot be decided yet lets the others have their turn."""
    if found:
        with transaction(session):
            rows = Rows(session)
            rows.execute(
                f"UPDATE awaited SET looked_at = ? WHERE {rows.among('mutation')}",
                to_wire(now),
                rows.listed([one.key for one in found]),
            )


def _decide(session: Session, sync: Sync, own: Sequence[Waiting]) -> int:
    """The waiting mutations of one device, through the same push, with the rights of today."""
    first = own[0]
    sender = rights.load_principal(session, first.user, device=first.device)
    late = frozenset(one.id for one in own if one.is_late)
    envelope = Envelope(sender=sender, writer=first.writer, late=late)
    pushed = push_batch(sync, session, envelope, [orjson.loads(one.body) for one in own])
    return sum(result.get("outcome", "waiting") != "waiting" for result in pushed.results)
