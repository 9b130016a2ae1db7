"""What the engine must know of a kind, as data; and the registry of all kinds. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from server.casework.items import Waits
from server.casework.machine import Machine
from server.people.principal import Principal, Role
from server.values import Value

Data = dict[str, Any]
"""The fields of a record by name, as they stand on the wire."""

FieldErrors = Mapping[str, str]
"""Field → key of ``errors.FIELD_WORDS`` (parameters after colons); empty: nothing wrong."""

MergeRule = Literal["review", "union", "authority", "frozen"]
Writer = Literal["device", "office"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field: who may write it and how two edits of it meet (PROTOCOL *Merge*)."""

    name: str
    title: Mapping[str, str]
    writers: frozenset[Writer] = frozenset({"device"})
    """Empty: only the server writes it."""
    rule: MergeRule = "review"
    owner: Writer | None = None
    """Whose side wins under ``authority``."""
    refers: frozenset[str] = frozenset()
    """Kinds that an id in this field may name; empty: the field is no reference."""


class Placement(Value, frozen=True):
    """Where a record belongs: its scopes, and the region whose roles act on it."""

    scopes: frozenset[str]
    region: str | None


class Author(Value, frozen=True):
    """Who made a record: what the place of a record may follow from, beside its data."""

    user: str
    home_region: str | None


class Change(Value, frozen=True):
    """What a kind is told when one of its records is written."""

    kind: str
    record: str
    before: Data | None
    """None for a create."""
    after: Data
    withdrawn: bool
    by: Principal
    parent_kind: str | None = None
    """The kind of the record above it."""
    read: Mapping[str, Data] = {}
    """The records, by id, that the fields which the kind ``reads`` name."""
    region: str | None = None
    """Whose roles acted on it before this change; None for a create."""
    captured: Mapping[str, Any] = {}
    """P9: what the device's clocks said; permits and orders nothing."""
    arrived_at: str | None = None
    """When the mutation first reached the server; None where nobody sent one."""
    restored_of: Author | None = None
    """Who first sent the refused create that this one brings back."""

    @property
    def author(self) -> Author:
        """Whose record a create makes: its first sender's, not the restorer's."""
        return self.restored_of or Author(user=self.by.user, home_region=self.by.home_region)


def nothing_wrong(_change: Change, _parent: Data | None) -> FieldErrors:
    """The rule of a kind without rules beyond its shape."""
    return {}


def nothing_set(_change: Change, _parent: Data | None) -> Data:
    """The derivation of a kind without fields that the server sets."""
    return {}


def with_parent(_data: Data, parent: Placement) -> Placement:
    """Where a record belongs that shares the scopes and the region of its parent."""
    return parent


def nothing_folded(_parent: Data, _children: tuple["Change", ...]) -> Data:
    """The fold of a kind that its children do not change."""
    return {}


def never_closed(_data: Data) -> bool:
    """Of a kind that devices hold without end."""
    return False


def nobody_waits(_change: Change) -> Waits:
    """Of a kind that asks nobody to act."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKind:
    """A declared type of record. Every callable is pure and decides from its arguments alone."""

    name: str
    title: Mapping[str, str]
    """Keys ``zh-CN`` and ``en``."""
    fields: Mapping[str, FieldSpec]
    json_schema: Mapping[str, Any]
    """JSON Schema (2020-12) of ``data``, for forms and offline checks."""
    check_create: Callable[[Mapping[str, Any]], FieldErrors]
    """The shape of a whole new record (fields that a device or the office may set)."""
    check_patch: Callable[[Mapping[str, Any]], FieldErrors]
    """The shape of some fields, and of nothing else."""
    required: frozenset[str]
    """Fields that may not be unset."""
    place: Callable[[Data, Author], Placement] | None = None
    """None: the record belongs where :attr:`follow` says, and moves with its parent."""
    follow: Callable[[Data, Placement], Placement] = with_parent
    """For a kind without a place of its own: its place, from its parent's."""
    parent: str | None = None
    """The field that names the parent record, if the kind has one."""
    create_roles: frozenset[Role] = frozenset({Role.REP, Role.REGION_MANAGER, Role.SALES_MANAGER})
    """Who may create it from a device; empty: made by the server only."""
    office_roles: frozenset[Role] = frozenset()
    """Who may open it in the back office, where the role's region covers the record's."""
    opens_with: str | None = None
    """The field with the kind of the record that it belongs to: who may open that may open this,
    beside its own ``office_roles``."""
    decide_roles: frozenset[Role] = frozenset()
    """Who may decide it; empty: it is not decided."""
    reads: frozenset[str] = frozenset()
    """References whose records its rules look into: locked with the record, and handed to them."""
    check: Callable[[Change, Data | None], FieldErrors] = nothing_wrong
    """Rules that look at the whole record and its parent: refuse with field errors."""
    derive: Callable[[Change, Data | None], Data] = nothing_set
    """Server-owned fields that follow from the change (numbers, states, ``flags``)."""
    fold: Callable[[Data, tuple[Change, ...]], Data] = nothing_folded
    """Server-owned fields of this record that follow from children written beneath it."""
    waits: Callable[[Change], Waits] = nobody_waits
    """B1: all that waits for somebody from now on; None where the change leaves it as it is."""
    machine: Machine | None = None
    """Its states, where it has more to go through than one review."""
    is_closed: Callable[[Data], bool] = never_closed
    """Whether nothing is to be done about the record any more, so that it may leave devices."""
    findings: frozenset[str] = frozenset()
    """B2: fields that only a machine writes, from what it found. They may have changed since a
    person looked: what the person decides stands all the same."""
    summary: tuple[str, ...] = ()
    """Fields that a list shows, in order."""
    label: str | None = None
    """The field that names the record to a person where another record refers to it."""
    claims: tuple[tuple[str, ...], ...] = ()
    """K2: sets of fields by which two records of this kind are likely the same; the first to
    arrive holds such a key, a later one is flagged."""
    amounts: frozenset[str] = frozenset()
    """R1: fields of ``claims`` that are decimals, the same however many zeros they end with."""
    numbered: Callable[[str, int], str] | None = None
    """The field ``number`` of a new record, from its id and how many such numbers other records
    have already: no two records of the store have the same."""
    lane: Literal["urgent", "normal"] = "normal"
    """Whether devices send every change of it ahead of all others."""
    urgent_when: Mapping[str, frozenset[str | int]] = field(default_factory=dict)
    """In place of ``lane``: the one field, and its values, that send a change ahead."""
    references: Mapping[str, frozenset[str]] = field(init=False, repr=False)
    """Field → kinds that it may name."""
    owned: Mapping[Writer, frozenset[str]] = field(init=False, repr=False)
    """The fields that each side may write."""

    def __post_init__(self) -> None:
        """A record stays under its parent; its lane follows from one field at most."""
        if self.parent is not None and self.fields[self.parent].rule != "frozen":
            raise ValueError(f"{self.name}.{self.parent} must be frozen")
        if len(self.urgent_when) > 1 or not self.urgent_when.keys() <= self.fields.keys():
            raise ValueError(f"{self.name} must be urgent by one field that it has")
        refers = {name: spec.refers for name, spec in self.fields.items() if spec.refers}
        sides: tuple[Writer, ...] = get_args(Writer)
        owned = {side: _owned_by(side, self.fields) for side in sides}
        object.__setattr__(self, "references", refers)
        object.__setattr__(self, "owned", owned)


def _owned_by(side: Writer, fields: Mapping[str, FieldSpec]) -> frozenset[str]:
    return frozenset(name for name, spec in fields.items() if side in spec.writers)


@dataclass(frozen=True, slots=True)
class Registry:
    """All kinds of an installation by name."""

    kinds: Mapping[str, RecordKind] = field(default_factory=dict)

    @classmethod
    def of(cls, kinds: Iterable[RecordKind]) -> "Registry":
        """A registry of ``kinds``. Raises ``ValueError`` where two share a name."""
        by_name: dict[str, RecordKind] = {}
        for kind in kinds:
            if kind.name in by_name:
                raise ValueError(f"two kinds are called {kind.name}")
            by_name[kind.name] = kind
        return cls(by_name)

    def openers(self, name: str, data: Data) -> frozenset[Role]:
        """P5: whose roles open a record with ``data`` in the back office."""
        kind = self.kinds.get(name)
        if kind is None:
            return frozenset()
        above = self.kinds.get(str(data.get(kind.opens_with))) if kind.opens_with else None
        return kind.office_roles | above.office_roles if above else kind.office_roles

    def get(self, name: str) -> RecordKind | None:
        """The kind called ``name``, or None where this server does not know it."""
        return self.kinds.get(name)
