"""What the reference keeps: records, outcomes, who is who, and who sees what. Pure.

Imports nothing of the server or the client.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Mutation = dict[str, Any]
ADOPTED = {"cross_region_case", "batch_trace", "rebuttal", "case_supplement", "licence", "penalty"}
"""Kinds of which no inside is predicted: only where their records lie, and what hangs there."""
Stamp = tuple[int, str | None, int, int]
"""The version that wrote a field, its device and n, and the last version by any other device."""
NEVER: Stamp = (0, None, 0, 0)


@dataclass(frozen=True)
class Sender:
    """Who a mutation comes from, with the rights of the moment."""

    user: str
    home: str | None
    scopes: frozenset[str]
    regions: frozenset[str]
    """Regions where the user has any role."""
    manages: frozenset[str]
    writer: str
    revoked: bool = False
    roles: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    """Those that the server knows as the user's."""


@dataclass(frozen=True)
class Told:
    """What a device was told by its pulls."""

    device: str
    scopes: Mapping[str, str | None] = field(default_factory=dict)
    """Scopes that it was given; when it was told that one is lost."""
    losses: frozenset[str] = frozenset()
    """Records of which it was told that they left."""


@dataclass
class Rec:
    """A record."""

    kind: str
    creator: str
    region: str | None
    scopes: frozenset[str]
    parent: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    version: int = 0
    withdrawn: bool = False
    by_epoch: dict[int, int] = field(default_factory=dict)
    made_at: str = ""
    ever: Mapping[str, str] = field(default_factory=dict)
    """Scopes that it has been in, as far as that is remembered; when it was there last."""
    adopted: bool = False
    """Its version and its fields are taken as they stand in the store."""


@dataclass(frozen=True)
class Said:
    """What becomes of a mutation."""

    outcome: str
    code: str | None = None
    awaited: tuple[str, ...] = ()


Adopt = Callable[[Mutation], tuple[Said, Rec | None]]
"""What the store says of a mutation, and the record that it is about, if that is there."""


@dataclass
class State:
    """Everything that a decision rests on; ``kinds`` as the wire describes them."""

    kinds: dict[str, Any]
    adopt: Adopt
    epochs: list[str] = field(default_factory=list)
    records: dict[str, Rec] = field(default_factory=dict)
    outcomes: dict[str, Said] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """(user, record) → the create that was refused."""
    places: dict[tuple[str, int], str] = field(default_factory=dict)
    """(device, n) → the mutation that came first at it."""
    claims: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Claim key → the record that holds it."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Id that the server gave a record of its own → how it is called here."""
    making: set[tuple[str, str]] = field(default_factory=set)
    """(user, record) that the batch is still to make, perhaps after a refusal before it."""
    moved: frozenset[str] = frozenset()
    """Records out of the sender's sight that were in a scope it held, or that it made."""
    open: frozenset[str] = frozenset()
    """Of these, the ones of whose loss its device was not told."""
    aged: frozenset[str] = frozenset()
    """Records that have left the devices for their age; they move unseen."""
    now: str = ""

    def copy(self) -> "State":
        """The same, to go on from once more."""
        records = {
            name: replace(one, stamps=dict(one.stamps), by_epoch=dict(one.by_epoch))
            for name, one in self.records.items()
        }
        return replace(
            self,
            records=records,
            epochs=list(self.epochs),
            outcomes=dict(self.outcomes),
            refused=dict(self.refused),
            places=dict(self.places),
            claims=dict(self.claims),
            aliases=dict(self.aliases),
            making=set(self.making),
        )

    def count(self, record: Rec, names: Iterable[str] = ()) -> None:
        """A new version of a record; the server itself wrote the fields ``names``."""
        record.version += 1
        record.by_epoch[len(self.epochs) - 1] = record.version
        for name in names:
            old = record.stamps.get(name, NEVER)
            record.stamps[name] = (record.version, None, 0, old[0])

    def is_final(self, mutation: str) -> bool:
        """Whether it was received and can become nothing else."""
        said = self.outcomes.get(mutation)
        return said is not None and said.outcome != "waiting"

    def sees(self, sender: Sender, name: str) -> bool:
        """P5: whether the record is there for this sender."""
        record = self.records.get(name)
        if record is None or sender.writer == "server" or record.scopes & sender.scopes:
            return record is not None
        return sender.writer == "office" and record.region in sender.manages

    def look_around(self, sender: Sender, told: Told | None) -> None:
        """Finds what the sender lost: it made it, or it left a scope that its device holds or held,
        or the device lost the scope after the record was made."""
        moved, known = set(), set()
        for name, record in self.records.items():
            if told is None or record.scopes & sender.scopes:
                continue
            left = (record.ever.keys() - record.scopes) & (sender.scopes | told.scopes.keys())
            if left or record.creator == sender.user:
                moved.add(name)
            for scope in record.scopes & told.scopes.keys():
                end = told.scopes[scope]
                if end is None:
                    moved.add(name)
                elif record.made_at < end:
                    known.add(name)
        self.moved = frozenset(moved | known)
        self.open = frozenset(moved - known - (told.losses if told else frozenset()))

    def forget(self, left: Mapping[str, set[str]]) -> list[str]:
        """P4: what a record left long ago is told nobody any more, but for the scopes in ``left``;
        when it was there last, for each that is forgotten."""
        gone = []
        for name, record in self.records.items():
            lost = record.ever.keys() - record.scopes - left.get(name, set())
            gone += [record.ever[one] for one in sorted(lost)]
            record.ever = {one: at for one, at in record.ever.items() if one not in lost}
        return gone

    def is_open(self, sender: Sender, m: Mutation) -> bool:
        """Whether the record is the sender's own, and lost without this device knowing it."""
        record = self.records[m["record"]]
        own = all(stamp[1] == m.get("device") for stamp in record.stamps.values())
        return m["record"] in self.open and record.creator == sender.user and own

    def base_of(self, m: Mutation, record: Rec) -> int:
        """P1: a base of an earlier epoch counts at most as what stood when the next one began.

        P6: who saw a version that never was here has seen nothing of what is.
        """
        base: int = m.get("base") or 0
        name = m.get("epoch") or self.epochs[-1]
        if name not in self.epochs:
            return 0
        if name != self.epochs[-1]:
            number = self.epochs.index(name)
            base = min(base, max([v for e, v in record.by_epoch.items() if e <= number], default=0))
        return base if base <= record.version else 0

    def device_of(self, m: Mutation, sender: Sender) -> str | None:
        """The device of the own-edit rule; a second mutation at a place is another device's."""
        if sender.writer != "device":
            return None
        forked = self.places.get((m["device"], m["n"])) != m["id"]
        return f"{m['device']}~fork" if forked else str(m["device"])
