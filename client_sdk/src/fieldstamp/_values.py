"""What callers read: records, progress, reports and outbox items, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Phase = Literal["hello", "push", "pull", "upload", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A WGS-84 position as the device claims it; degrees and metres as exact decimals."""

    lat: Decimal
    lon: Decimal
    accuracy_m: Decimal
    age_s: int = 0
    provider: str = "unknown"
    mocked: bool = False

    def wire(self) -> dict[str, object]:
        """The position as record data holds it."""
        return {
            "lat": format(self.lat, "f"),
            "lon": format(self.lon, "f"),
            "accuracy_m": format(self.accuracy_m, "f"),
            "age_s": self.age_s,
            "provider": self.provider,
            "mocked": self.mocked,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as this device sees it: the server's copy with the unsettled own edits over it."""

    id: str
    kind: str
    data: Mapping[str, Any]
    version: int
    """The newest version received from the server; 0 when none was."""
    epoch: str | None
    withdrawn: bool
    pending: bool
    """Own edits of it are still laid over the server's copy."""
    held: bool
    """False when it left this device's scopes and only own unsent work of it is left."""

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The field ``name``, or ``default`` when it is not set."""
        return self.data.get(name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One sealed change as evidence: ``body`` are the very bytes that were sealed."""

    id: str
    device: str
    n: int
    """Its number in the chain of ``device``."""
    action: str
    kind: str
    record: str
    body: bytes
    digest: str
    prev: str
    signature: str
    saved_at: str
    state: str
    outcome: str | None
    version: int | None
    ack: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxItem:
    """Something that has not reached its end, why, and what a person can do about it."""

    id: str
    what: Literal["mutation", "upload"]
    kind: str
    record: str
    state: str
    reason: str
    action: str
    saved_at: str
    bytes_total: int = 0
    bytes_taken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsYou:
    """Something that does not move on without a person."""

    id: str
    kind: str
    record: str
    code: str
    title: str
    action: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One step of a sync. Counts are cumulative within the phase; 0 total means unknown."""

    phase: Phase
    item: str = ""
    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0

    def __str__(self) -> str:
        parts = [self.phase, self.item]
        if self.bytes_total:
            parts.append(f"{self.bytes_done}/{self.bytes_total} bytes")
        elif self.total or self.done:
            parts.append(f"{self.done}/{self.total}" if self.total else str(self.done))
        return "  ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What one sync did and what is left. ``synced`` is said only when nothing is left."""

    sent: int = 0
    applied: int = 0
    merged: int = 0
    conflicts: int = 0
    rejected: int = 0
    waiting: int = 0
    received: int = 0
    photos_sent: int = 0
    photos_verified: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    pending: int = 0
    needs_you: tuple[NeedsYou, ...] = ()
    unknown_kinds: Mapping[str, int] = field(default_factory=dict)
    digest_mismatch: tuple[str, ...] = ()
    push_only: bool = False
    """The program is too old to receive; what it saves is still handed in."""
    synced: bool = False
    reason: str | None = None
    """Code of what stopped this sync or keeps it from being ``synced``; None when synced."""
    message: str = ""
    action: str = ""
    retry_in_s: float = 0
    """Seconds after which the next try makes sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where this store stands, without using the network."""

    enrolled: bool
    user: str | None
    device: str | None
    server: str | None
    pending_mutations: int
    pending_uploads: int
    pending_bytes: int
    oldest_pending: str | None
    needs_you: tuple[NeedsYou, ...]
    paused: str | None
    """Code of what must be mended before anything moves, such as ``login_needed``."""
    synced: bool
    """True when the last sync ended synced and nothing was saved since."""
    retry_in_s: float
    stalls: int = 0
    """How often :meth:`Client.watch` found work that nobody was trying to send."""
