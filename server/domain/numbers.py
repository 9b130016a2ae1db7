"""Numbers that can be said on the phone, made from the ids of records. Pure."""

import hashlib

SAYABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for another one on the phone."""
SPOKEN = 8
"""Letters of a number before its check letter: 40 bits."""
GROUP = 3


def say_number(record: str, attempt: int = 0) -> str:
    """The number by which people name ``record``: three groups of three.

    ``attempt``: how many of its numbers are other records' already.
    """
    named = f"{record} {attempt}" if attempt else record
    bits = int.from_bytes(hashlib.sha256(named.encode()).digest()[:5])
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
