"""Ids that the server makes: UUIDv7 (RFC 9562, section 5.7), so that keys sort by time."""

import base64
import hashlib
import re
import secrets
import threading
from collections.abc import Callable
from typing import NewType
from uuid import UUID

from server.clock import Clock

UserId = NewType("UserId", str)
DeviceId = NewType("DeviceId", str)
RecordId = NewType("RecordId", str)
MutationId = NewType("MutationId", str)

RANDOM_BITS = 62
COUNTER_BITS = 12
CODE_LENGTH = 10
FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class IdMaker:
    """Makes UUIDv7 strings that rise strictly within a process.

    The 12 bits after the version are a counter within one millisecond (RFC 9562, 6.2, method 1);
    when it runs over, the next millisecond is used ahead of its time.
    """

    def __init__(self, clock: Clock, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random_bits = random_bits
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """A fresh id, greater than every id that this object made before."""
        stamp = int(self._clock.now().timestamp() * 1000) << COUNTER_BITS
        with self._lock:
            self._last = max(stamp, self._last + 1)
            position = self._last
        millisecond, counter = position >> COUNTER_BITS, position & ((1 << COUNTER_BITS) - 1)
        value = millisecond << 80 | 0x7 << 76 | counter << 64
        value |= 0b10 << RANDOM_BITS | self._random_bits(RANDOM_BITS)
        return _in_form(value)

    def secret(self, size: int) -> bytes:
        """``size`` random bytes that nobody can guess."""
        return self._random_bits(size * 8).to_bytes(size, "big")

    def code(self) -> str:
        """Ten base32 characters for a person to type."""
        return base64.b32encode(self.secret(7)).decode()[:CODE_LENGTH]


def derive_id(*sources: str) -> str:
    """The UUIDv7 that follows from others, in whatever order: the latest time among them, and the
    rest from SHA-256. What is made of them a second time, after a restore, has the same id."""
    hashed = hashlib.sha256("\n".join(sorted(sources)).encode()).digest()
    bits = int.from_bytes(hashed[:10])
    value = UUID(max(sources)).int >> 80 << 80 | 0x7 << 76
    value |= (bits >> RANDOM_BITS) % (1 << COUNTER_BITS) << 64
    value |= 0b10 << RANDOM_BITS | bits % (1 << RANDOM_BITS)
    return _in_form(value)


def _in_form(value: int) -> str:
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_uuid7(text: object) -> bool:
    """Whether ``text`` is a UUIDv7 in its usual lower-case form."""
    return isinstance(text, str) and FORM.fullmatch(text) is not None
