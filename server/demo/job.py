"""What the demonstration asks of one device, and what the device tells of it. Values only."""

from typing import Any, Literal

import msgspec

Step = Literal["enrol", "work", "sync", "sign"]


class CaseFound(msgspec.Struct, frozen=True, kw_only=True):
    """Goods of other markets that a rep comes upon."""

    affected_market: str
    accused: str
    source_market: str
    lines: list[dict[str, Any]]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One person's device and what befalls that person in the field."""

    name: str
    username: str
    password: str
    store: str
    server: str
    """Where this device reaches the server; it may be a bad link."""
    seed: int
    visits: int
    photos: list[str]
    """Pictures of the caller's; none: the device draws its own."""
    contested: str | None = None
    """A customer whose telephone number this person corrects, as a colleague does."""
    contested_phone: str = ""
    out_of_reach: str | None = None
    """A region without a role, in which this person registers a customer all the same."""
    cases: list[CaseFound] = []


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Some steps of a job, done by one process."""

    job: Job
    steps: list[Step]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says after its steps."""

    name: str
    saved: int
    synced: bool
    tries: int
    """How many syncs it took."""
    reason: str | None
    conflicts: int
    rejected: int
    verdicts: dict[str, int]
    """Verdict → how many of the records on this device carry it."""
