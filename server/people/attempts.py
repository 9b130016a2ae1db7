"""Slows down whoever guesses codes and passwords. Kept in the store: a restart forgives none."""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Store

from server.db import transaction
from server.errors import Problem
from server.people.tables import Attempt

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """``free`` tries cost nothing; then a wait of ``first``, doubling up to ``longest``.

    Tries older than ``forget`` do not count.
    """

    free: int
    first: timedelta
    longest: timedelta
    forget: timedelta

    def wait(self, tries: int) -> timedelta:
        """How long after this try the next one may come."""
        if tries < self.free:
            return timedelta()
        doubled: int = 2 ** min(tries - self.free, 30)
        return min(self.first * doubled, self.longest)


CODES = Pace(
    free=5,
    first=timedelta(minutes=10),
    longest=timedelta(minutes=10),
    forget=timedelta(minutes=10),
)
"""Five tries at codes per address."""
PAIR = Pace(
    free=3,
    first=timedelta(seconds=1),
    longest=timedelta(minutes=15),
    forget=timedelta(hours=1),
)
"""One account from one address."""
ACCOUNT = Pace(
    free=30,
    first=timedelta(seconds=1),
    longest=timedelta(minutes=1),
    forget=timedelta(hours=1),
)
"""One account from everywhere; short, since a stranger must not be able to shut a person out."""
ADDRESS = Pace(
    free=20,
    first=timedelta(seconds=1),
    longest=timedelta(minutes=15),
    forget=timedelta(hours=1),
)
"""An office shares one address, so more is free."""


def subject(kind: str, name: str) -> str:
    """The row for ``name``; hashed, so that any text fits and none stands in the table."""
    return f"{kind}:{hashlib.sha256(name.encode()).hexdigest()}"


def take(store: Store, subject: str, *, pace: Pace, now: datetime) -> None:
    """Counts a try before it is made, so that parallel guesses are counted too.

    *Raises* ``too_many`` with ``retry_after`` while a wait is on.
    """
    with transaction(store):
        attempt = _locked(store, subject, now)
        # Requests of one moment are counted in any order: only a wait that was set refuses.
        if now < attempt.until and pace.wait(attempt.tries):
            seconds = math.ceil((attempt.until - now).total_seconds())
            raise Problem("too_many", retry_after=seconds)
        fresh = now - attempt.until > pace.forget
        attempt.tries = 1 if fresh else attempt.tries + 1
        attempt.until = now + pace.wait(attempt.tries)


def forgive(store: Store, *subjects: str, now: datetime) -> None:
    """Takes back one try of each subject, after a success; in the caller's transaction."""
    for name in sorted(subjects):
        attempt = store.get(Attempt, name, with_for_update=True)
        if attempt is not None and attempt.tries > 0:
            attempt.tries -= 1
            attempt.until = min(attempt.until, now)


def _locked(store: Store, subject: str, now: datetime) -> Attempt:
    attempt = store.get(Attempt, subject, with_for_update=True)
    if attempt is not None:
        return attempt
    store.execute(delete(Attempt).where(Attempt.until < now - KEPT))
    try:
        with store.begin_nested():
            store.add(Attempt(subject=subject, tries=0, until=now))
    except IntegrityError:  # another request was first
        pass
    return store.get_one(Attempt, subject, with_for_update=True)
