"""Hashes and checks passwords: argon2id with 46 MiB, one pass, one lane (OWASP). No SQL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import Problem

SHORTEST, LONGEST = 8, 256
MEMORY_KIB = 46 * 1024
WAIT_SECONDS = 5

_hasher = PasswordHasher(time_cost=1, memory_cost=MEMORY_KIB, parallelism=1)
_slots = BoundedSemaphore(os.cpu_count() or 1)


@contextmanager
def slot() -> Iterator[None]:
    """The right to hash, one per core. *Raises* ``unavailable`` after a short wait.

    Each hash takes a core and 46 MiB: a flood of logins must not take the machine.
    """
    if not _slots.acquire(timeout=WAIT_SECONDS):
        raise Problem("unavailable")
    try:
        yield
    finally:
        _slots.release()


def hash_password(password: str) -> str:
    """The hash to store. *Raises* ``validation`` outside 8 to 256 characters."""
    if len(password) < SHORTEST:
        raise Problem("validation", fields={"password": f"too_short:{SHORTEST}"})
    if len(password) > LONGEST:
        raise Problem("validation", fields={"password": f"too_long:{LONGEST}"})
    with slot():
        return _hasher.hash(password)


@cache
def _nobody() -> str:
    return _hasher.hash("the password of nobody")


def matches(stored: str | None, password: str) -> bool:
    """Whether ``password`` is the stored one; takes as long where nothing is stored."""
    with slot():
        try:
            return _hasher.verify(stored or _nobody(), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether ``stored`` was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)
