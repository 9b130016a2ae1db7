"""A record as its versions tell it, from the first one on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.casework.items import OpenItem
from server.people.principal import Principal
from server.sync.batch import LIVE, WITHDRAWN, Sender
from server.sync.findings import What
from server.sync.kinds import Change, Data, Registry
from server.sync.merge import NEVER, FieldVersion, stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One row of history, with what its mutation says."""

    version: int
    user: str
    writer: Sender
    state: int
    changed: Mapping[str, Any]
    at: str
    device: str | None
    """The device of the own-edit rule."""
    n: int | None
    is_target: bool
    """Whether the record is the one that the mutation names; a fold or a closing is not."""
    has_effect: bool
    """Whether the outcome of the mutation may bring this version."""


@dataclass(slots=True, kw_only=True)
class Retold:
    """What the versions add up to."""

    fields: Data = field(default_factory=dict)
    versions: dict[str, FieldVersion] = field(default_factory=dict)
    state: int = LIVE
    last: int = 0
    waits: tuple[OpenItem, ...] = ()
    """All that waits for somebody."""
    asked_at: str = ""
    """When that was said."""
    wrong: list[tuple[What, str]] = field(default_factory=list)


def retell(registry: Registry, *, kind: str, record: str, versions: Sequence[Version]) -> Retold:
    """Adds the versions up; what does not fit together stands in ``wrong``."""
    told = Retold()
    for one in versions:
        if one.version != told.last + 1:
            told.wrong.append(("history_gap", f"{told.last} is followed by {one.version}"))
        if not one.has_effect:
            told.wrong.append(("outcome_without_effect", f"version {one.version}"))
        before = dict(told.fields) if told.last else None
        _take(told, one)
        _ask(registry, told, one, kind=kind, record=record, before=before)
        told.last = one.version
    return told


def _take(told: Retold, one: Version) -> None:
    first = one.version == 1
    pairs = {name: (None, new) for name, new in one.changed.items()} if first else one.changed
    stamp_as = (one.device, one.n) if one.writer == "device" and one.is_target else (None, None)
    for name, (old, new) in pairs.items():
        if told.fields.get(name) != old:
            told.wrong.append(("history_broken", f"{name} in version {one.version}"))
        told.versions[name] = stamp(told.versions.get(name, NEVER), one.version, *stamp_as)
        if new is None:
            told.fields.pop(name, None)
        else:
            told.fields[name] = new
    told.state = one.state


def _ask(
    registry: Registry, told: Retold, one: Version, *, kind: str, record: str, before: Data | None
) -> None:
    declared = registry.get(kind)
    if declared is None:
        return
    change = Change(
        kind=kind,
        record=record,
        before=before,
        after=told.fields,
        withdrawn=one.state == WITHDRAWN,
        by=Principal(user=one.user, name="", session="", device=one.device),
    )
    waits = declared.waits(change)
    if waits is not None:
        told.waits, told.asked_at = waits, one.at


def comparable(versions: Mapping[str, FieldVersion]) -> dict[str, FieldVersion]:
    """Field versions without what no merge reads: of the office and the server only the number."""
    return {
        name: entry if entry[1] is not None else (entry[0], None, None, 0)
        for name, entry in versions.items()
    }
