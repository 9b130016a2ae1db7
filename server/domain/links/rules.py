"""What follows from a link and from what is handed in by it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from server.domain.positions import with_flags
from server.sync.kinds import Change, Data


def x6_is_open(expires_at: datetime, revoked_at: datetime | None, now: datetime) -> bool:
    """X6: what arrives at the very moment at which the term ends is in time."""
    return revoked_at is None and now <= expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A term that runs or ran on the record itself."""

    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None


def x6_expiry(made_at: datetime, expires_at: datetime, clocks: Iterable[Clock]) -> datetime:
    """X6: when a link is over: with the record's own clock, where one ran when the link was made or
    began before it was over, since the term runs from the recorded notice; else when it was told
    to be."""
    its_own = (
        clock.due_at
        for clock in clocks
        if clock.opened_at <= expires_at
        and clock.due_at > made_at
        and (clock.closed_at is None or clock.closed_at > made_at)
    )
    return max(its_own, default=expires_at)


def first_fields(change: Change) -> Data:
    """What the server says of something when it is handed in: none of its photos came yet."""
    return {"verified": 0} if change.before is None else {}


def x6_derive(change: Change) -> Data:
    """X6: that words without evidence do not count."""
    words_only = set() if change.after["photos"] else {"words_only"}
    return {**first_fields(change), "flags": with_flags(change.after, words_only)}


def fold_photos(handed_in: Data, children: Iterable[Change]) -> Data:
    """X6, F6: how many of the photos that it declares have arrived and are verified."""
    verified = handed_in.get("verified", 0)
    for child in children:
        if child.kind == "photo":
            verified += _counts(child.after, withdrawn=child.withdrawn) - _counts(child.before)
    return {"verified": verified}


def _counts(photo: Data | None, *, withdrawn: bool = False) -> int:
    return int(photo is not None and not withdrawn and photo.get("state") == "verified")
