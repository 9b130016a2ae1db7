"""How one edit meets what others wrote meanwhile, field by field (PROTOCOL *Merge*). Pure.

There is no last-writer-wins by clock: a value that does not win is returned as lost, and kept.
"""

from collections.abc import Mapping
from typing import Any, Final

from server.proof.encoding import canonical
from server.sync.kinds import FieldSpec, RecordKind, Writer
from server.values import Value


class Absent:
    """The value of a field that is not set."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()

FieldVersion = tuple[int, str | None, int | None, int]
"""(version, device, n, last version by any other device); the office and the server have none."""

NEVER: FieldVersion = (0, None, None, 0)


class Edit(Value, frozen=True):
    """One patch: values by field, ABSENT where it unsets."""

    values: Mapping[str, Any]
    base: int
    device: str | None
    n: int | None
    side: Writer


class Merged(Value, frozen=True):
    """What the merge decided. ``taken`` may hold ABSENT; ``lost`` values must be kept (P6)."""

    taken: Mapping[str, Any] = {}
    lost: Mapping[str, Any] = {}
    foreign: tuple[str, ...] = ()
    """Fields that others changed since the base."""


def last_foreign(entry: FieldVersion, device: str | None) -> int:
    """The last version in which anybody but ``device`` changed the field."""
    version, writer, _n, other = entry
    return other if device is not None and writer == device else version


def stamp(entry: FieldVersion, version: int, device: str | None, n: int | None) -> FieldVersion:
    """The entry of a field that ``device`` writes in ``version``."""
    return (version, device, n, last_foreign(entry, device))


def is_equal(one: Any, other: Any) -> bool:
    """Whether two values have the same canonical JSON."""
    if one is other:
        return True
    if one is ABSENT or other is ABSENT:
        return False
    return bool(one == other) and (type(one) is str or canonical(one) == canonical(other))


def merge(
    kind: RecordKind | None,
    current: Mapping[str, Any],
    versions: Mapping[str, FieldVersion],
    edit: Edit,
) -> Merged:
    """Merges ``edit`` into ``current``. Unknown fields (no spec) meet under ``review``."""
    taken: dict[str, Any] = {}
    lost: dict[str, Any] = {}
    for name, value in edit.values.items():
        spec = kind.fields.get(name) if kind else None
        entry = versions.get(name, NEVER)
        kept = _merge_field(spec, current.get(name, ABSENT), value, entry=entry, edit=edit)
        if kept is LOST:
            lost[name] = value
        elif kept is not STANDS:
            taken[name] = kept
    foreign = [
        name for name, entry in versions.items() if last_foreign(entry, edit.device) > edit.base
    ]
    return Merged(taken=taken, lost=lost, foreign=tuple(sorted(foreign)))


LOST: Final = object()
STANDS: Final = object()


def _merge_field(
    spec: FieldSpec | None, current: Any, value: Any, *, entry: FieldVersion, edit: Edit
) -> Any:
    """The new value of one field, STANDS where nothing is to be written, or LOST."""
    if is_equal(current, value):
        return STANDS
    if spec is not None and spec.rule == "frozen" and current is not ABSENT:
        return LOST
    if entry[0] <= edit.base:
        return value
    if _is_own_chain(entry, edit):
        return value if (entry[2] or 0) < (edit.n or 0) else STANDS
    return _apply_rule(spec, current, value, entry=entry, edit=edit)


def _is_own_chain(entry: FieldVersion, edit: Edit) -> bool:
    """Whether every change since the base was this device's own."""
    return edit.device is not None and entry[1] == edit.device and entry[3] <= edit.base


def _apply_rule(
    spec: FieldSpec | None, current: Any, value: Any, *, entry: FieldVersion, edit: Edit
) -> Any:
    if spec is None or value is ABSENT:
        return LOST
    if spec.rule == "union" and isinstance(current, list):
        added = [member for member in value if member not in current]
        return current + added if added else STANDS
    other_side: Writer = "device" if entry[1] is not None else "office"
    if spec.rule == "authority" and spec.owner == edit.side and other_side != edit.side:
        return value
    return LOST
