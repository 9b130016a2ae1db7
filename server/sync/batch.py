"""A batch as it is decided: heads of records, outcomes so far, and what a decision writes. Pure."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from server.casework.items import Waits
from server.people.principal import Principal
from server.sync.kinds import Author, Data, Placement, RecordKind, Registry
from server.sync.merge import ABSENT, FieldVersion, is_equal
from server.sync.wire import Mutation, Outcome
from server.values import Value

LIVE, WITHDRAWN = 0, 1
"""States of a record."""

Sender = Literal["device", "office", "server", "guest"]
"""Who writes: a device, a person in the back office, the server itself, or the server for a guest,
who has no mutations of his own: what may be in them follows from his link."""
TRUSTED: frozenset[Sender] = frozenset({"server", "guest"})
"""Their mutations are made by the server, which sees every record and writes every field."""


class Head(Value, frozen=True):
    """A record as the batch sees it; ``stored`` is what the database holds, None for a new one."""

    id: str
    kind: str
    version: int
    state: int
    fields: Data
    versions: Mapping[str, FieldVersion]
    placement: Placement
    creator: str
    parent: str | None
    key: int | None = None
    created_at: str = ""
    aged: bool = False
    """Closed so long ago that devices no longer hold it; a new version brings it back."""


class Holder(Value, frozen=True):
    """The record that holds a claim key (K2); none where ``record`` is empty."""

    record: str
    captured: str | None = None
    """When its key was captured, by its device's own account."""
    region: str | None = None
    live: bool = False
    """Region and state of a record that the batch does not touch."""


Changes = Mapping[str, tuple[Any, Any]]
"""Field → (old, new), with ABSENT for what is not set."""


class Written(Value, frozen=True):
    """A new version of a record, and what changed in it."""

    head: Head
    changed: Changes
    waits: Waits = None


class Decision(Value, frozen=True):
    """The outcome of a mutation, and what it writes, in order."""

    outcome: Outcome
    writes: tuple[Written, ...] = ()
    derived: bool = False
    """Whether the record now differs from what the device can compute by itself."""
    claims: tuple[tuple[str, Holder], ...] = ()
    """Claim keys with their new holder."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """What was loaded, brought up to date as the batch is decided."""

    registry: Registry
    sender: Principal
    writer: Sender
    new_id: Callable[[], str]
    at: str = ""
    """When it reached the server."""
    arrivals: Mapping[str, str] = field(default_factory=dict)
    """When the mutations that have waited reached it, by id."""
    heads: dict[str, Head] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """Outcomes of mutations by id, of this batch and of those that ``after`` names."""

    moved: set[str] = field(default_factory=set)
    """Records out of the sender's sight that were in a scope it held, or that it made."""
    lost: frozenset[str] = frozenset()
    """Of these, the ones whose loss the device was told."""
    claims: dict[str, Holder] = field(default_factory=dict)
    """The holders of the claim keys that the batch names."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """The numbers that the records which the batch makes are given, by record."""
    past: Mapping[tuple[str, int], Data] = field(default_factory=dict)
    """(record, version) → its data then, of the versions that the batch brings back."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """(user, record) → the create of that record that was refused, where there is no record."""
    making: set[tuple[str, str]] = field(default_factory=set)
    """(user, record) that the batch is still to make, perhaps after a refusal before it."""

    def arrival(self, mutation: str) -> str:
        """When ``mutation`` first reached the server."""
        return self.arrivals.get(mutation, self.at)

    def copy(self) -> Self:
        """The same, to try decisions on."""
        return replace(
            self,
            heads=dict(self.heads),
            outcomes=dict(self.outcomes),
            refused=dict(self.refused),
            claims=dict(self.claims),
            making=set(self.making),
            moved=set(self.moved),
        )

    def seen_by(self, sender: Principal, writer: Sender) -> Self:
        """The same heads and outcomes in the eyes of another sender.

        P5: what moved away from one device tells nothing of what another one has seen; where that
        matters, the other's mutation waits for its own next push.
        """
        return replace(self, sender=sender, writer=writer, moved=set(), lost=frozenset())

    def apply(self, mutation: Mutation, decision: Decision) -> None:
        """Makes the effects of a decision visible to the mutations behind it."""
        self.outcomes[mutation.id] = decision.outcome
        if mutation.action == "create" and decision.outcome.name == "rejected":
            self.refused[self.sender.user, mutation.record] = mutation.id
            self.making.discard((self.sender.user, mutation.record))
        for written in decision.writes:
            self.heads[written.head.id] = written.head
            if written.head.id == mutation.record and self.writer == "device":
                self._keep_open(mutation.record)
        self.claims.update(decision.claims)

    def _keep_open(self, record: str) -> None:
        """P5: what was made beneath a record that moved away is out of sight as that is."""
        if self.visible(record) is None:
            self.moved.add(record)

    def visible(self, record: str) -> Head | None:
        """P5: the record if the sender may see it; otherwise as if there were none."""
        head = self.heads.get(record)
        if head is None or self.writer in TRUSTED or head.placement.scopes & self.sender.scopes:
            return head
        if self.writer == "office" and self._may_open(head):
            return head
        return None

    def moved_away(self, record: str) -> Head | None:
        """A record that the sender may not see, and that was in a scope it held, or is its own."""
        return self.heads.get(record) if record in self.moved else None

    def still_open(self, record: str, device: str | None) -> Head | None:
        """A record that is out of sight, but that only this device has written.

        It stays open to that user's writes, never reads, until the device was told the loss.
        """
        head = self.moved_away(record)
        if head is None or record in self.lost or head.creator != self.sender.user:
            return None
        own = all(entry[1] == device for entry in head.versions.values())
        return head if own and device is not None else None

    def refused_create(self, record: str) -> str | None:
        """The sender's own create of ``record`` that was refused and not made good since."""
        mine = (self.sender.user, record)
        return None if record in self.heads or mine in self.making else self.refused.get(mine)

    def is_settled(self, mutation: str) -> bool:
        """Whether a mutation that ``after`` names was received and has a final outcome."""
        outcome = self.outcomes.get(mutation)
        return outcome is not None and outcome.is_final

    def _may_open(self, head: Head) -> bool:
        roles = self.registry.openers(head.kind, head.fields)
        return self.sender.has(roles, head.placement.region)

    @property
    def author(self) -> Author:
        """Who makes the records of this batch."""
        return Author(user=self.sender.user, home_region=self.sender.home_region)

    def writable(self, kind: RecordKind) -> Set[str]:
        """The fields that the writer owns; the server may write every one."""
        match self.writer:
            case "device" | "office" as side:
                return kind.owned[side]
        return kind.fields.keys()


def with_values(fields: Data, values: Mapping[str, Any]) -> Data:
    """``fields`` with ``values`` laid over them; ABSENT takes a field away."""
    if not values:
        return fields
    merged = {**fields, **values}
    return {name: value for name, value in merged.items() if value is not ABSENT}


def changes(before: Data, after: Data) -> Changes:
    """What differs."""
    if not before:
        return {name: (ABSENT, value) for name, value in after.items()}
    changed: dict[str, tuple[Any, Any]] = {}
    for name in {**before, **after}:
        old, new = before.get(name, ABSENT), after.get(name, ABSENT)
        if not is_equal(old, new):
            changed[name] = (old, new)
    return changed


def told_data(versions: Iterable[Data]) -> Data:
    """What versions add up to, from the first one on; each is field → value, None: unset."""
    data: Data = {}
    for news in versions:
        data |= news
    return {name: value for name, value in data.items() if value is not None}
