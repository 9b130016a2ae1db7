"""The edges of the world as this package needs them: time, chance, disk, network, keys.

Only shapes live here. What runs on a real device is in ``_system`` and ``_transport``; a simulator
brings its own.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Time as this device claims it. P9: recorded, never trusted."""

    def now(self) -> datetime.datetime:
        """Wall time, aware, in the zone the person lives in."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds that only grow, counted from a start that ``boot`` names."""
        ...

    def boot(self) -> str:
        """Names the span in which ``monotonic_ms`` values can be compared."""
        ...


class Entropy(Protocol):
    """Where ids, keys and jitter come from."""

    def secret(self, size: int) -> bytes:
        """``size`` unpredictable bytes."""
        ...

    def fraction(self) -> float:
        """A number from 0 up to, not including, 1."""
        ...


class Disk(Protocol):
    """Files beside the store; each call is durable when it returns."""

    def write_new(self, path: Path, content: bytes) -> None:
        """Writes a file and flushes it to the disk."""
        ...

    def publish(self, part: Path, final: Path) -> None:
        """Names a flushed file ``final`` without ever overwriting, and flushes the folder."""
        ...

    def replace(self, part: Path, final: Path) -> None:
        """Puts a flushed file in the place of a damaged one, and flushes the folder."""
        ...

    def read(self, path: Path, *, offset: int = 0, size: int = -1) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        ...

    def remove(self, path: Path) -> None:
        """Frees the space of a file; nothing happens where there is none."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether a file of that name is there."""
        ...

    def make_folder(self, path: Path) -> None:
        """Makes the folder if it is missing, and flushes its parent."""
        ...

    def files(self, folder: Path) -> Sequence[tuple[Path, int]]:
        """Every file beneath ``folder`` with its size in bytes; none where there is no folder."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; ``url`` is absolute."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_s: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One whole HTTP answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Transport(Protocol):
    """Carries one request. Raises OfflineError when no whole answer came back.

    One that may be called by several threads at once has a number ``lanes``: how many uploads
    it carries side by side.
    """

    def send(self, request: Request) -> Response:
        """The answer of the other side, whatever its status; redirects are not followed."""
        ...


class DeviceKey(Protocol):
    """The key of this device; it may live in hardware that never shows it."""

    @property
    def alg(self) -> str:
        """``ed25519`` or ``es256``."""
        ...

    @property
    def public(self) -> bytes:
        """The public key: 32 bytes, or an uncompressed P-256 point."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The raw signature: 64 bytes."""
        ...


class KeyStore(Protocol):
    """Keeps the keys of a store: one, and another one each time a copied store goes on anew."""

    def device_key(self, device: str) -> DeviceKey:
        """The key of that device id, made and kept durably the first time it is asked for."""
        ...
