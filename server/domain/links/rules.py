"""What follows from a link and from what is handed in by it. Pure."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from server.domain.positions import with_flags
from server.sync.kinds import Change, Data

SAYABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for another one on the phone."""
SPOKEN = 8
"""Letters of a number before its check letter: 40 bits."""
GROUP = 3


def x6_is_open(expires_at: datetime, revoked_at: datetime | None, now: datetime) -> bool:
    """X6: what arrives at the very moment at which the term ends is in time."""
    return revoked_at is None and now <= expires_at


def say_number(record: str) -> str:
    """The number by which people name what was handed in as ``record``: three groups of three."""
    bits = int.from_bytes(hashlib.sha256(record.encode()).digest()[:5])
    letters = "".join(SAYABLE[bits >> 5 * place & 31] for place in reversed(range(SPOKEN)))
    whole = letters + SAYABLE[_check(letters)]
    return " ".join(whole[start : start + GROUP] for start in range(0, len(whole), GROUP))


def _check(letters: str) -> int:
    """Luhn's sum for an alphabet of 32: every second value is doubled, carries are added."""
    total = 0
    for place, letter in enumerate(reversed(letters)):
        value = SAYABLE.index(letter) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return -total % 32


def x6_derive(change: Change) -> Data:
    """X6: its number, and that words without evidence do not count."""
    words_only = set() if change.after["photos"] else {"words_only"}
    first = {"number": say_number(change.record), "verified": 0} if change.before is None else {}
    return {**first, "flags": with_flags(change.after, words_only)}


def x6_fold(rebuttal: Data, children: Iterable[Change]) -> Data:
    """X6: how many of the photos that it declares have arrived and are verified."""
    verified = rebuttal.get("verified", 0)
    for child in children:
        if child.kind == "photo":
            verified += _counts(child.after, withdrawn=child.withdrawn) - _counts(child.before)
    return {"verified": verified}


def _counts(photo: Data | None, *, withdrawn: bool = False) -> int:
    return int(photo is not None and not withdrawn and photo.get("state") == "verified")
