"""P6, B4: what lost or was refused, brought back or dismissed by one act of the back office."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from server.clock import to_wire
from server.domain.review.actions import deciding_at, write_version
from server.errors import Problem
from server.people.principal import MANAGERS, Principal
from server.sync import queries
from server.sync.engine import Sync
from server.sync.kinds import RecordKind
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord

KEPT = frozenset({"conflict", "parked"})


def may_restore(reader: Principal, kind: RecordKind, region: str | None) -> bool:
    """Who decides a kind brings its values back; of a kind that nobody decides, a manager."""
    return reader.has(kind.decide_roles or MANAGERS, region)


def restore(sync: Sync, session: Session, reviewer: Principal, kept: str) -> int:
    """Writes the values that a conflict or a parked mutation keeps; the record's new version.

    Raises Problem ``not_found``, ``forbidden``, ``wrong_state`` where somebody else settled it or
    the record changed at the same moment, and what the rules of the kind say to the values.
    """
    held, kind = _need_open(sync, session, reviewer, kept)
    target = queries.find_record(session, held.data["record"])
    mutation: dict[str, Any] = {
        "id": sync.ids.new(),
        "kind": held.data["record_kind"],
        "record": held.data["record"],
        "restores": {held.kind: held.id},
        "strict": target is not None,
        "base": target.version if target else 0,
        **(_lost(session, kind, held) if held.kind == "conflict" else _refused(held)),
    }
    if target is not None and _is_decision(session, target, mutation.get("set", {})):
        mutation["set"]["decided_at"] = to_wire(deciding_at(sync, target))
    envelope = Envelope(sender=reviewer, writer="office")
    (result,) = push_batch(sync, session, envelope, [mutation]).results
    return write_version(result)


def restore_version(
    sync: Sync, session: Session, reviewer: Principal, record: str, *, version: int, base: int
) -> int:
    """Puts a record's fields of devices back as they were in ``version``; its new version.

    Raises Problem ``not_found``, ``forbidden``, and ``wrong_state`` where somebody wrote since
    ``base`` or nothing differs.
    """
    seen = queries.find_record(session, record)
    if seen is None or not queries.may_open(sync.registry, reviewer, seen):
        raise Problem("not_found")
    kind = sync.registry.get(seen.kind)
    if kind is None or not may_restore(reviewer, kind, seen.region):
        raise Problem("forbidden")
    past = queries.data_at(session, record, version)
    fields = [name for name in kind.owned["device"] if past.get(name) != seen.data.get(name)]
    if not fields:
        raise Problem("wrong_state")
    mutation = {
        "id": sync.ids.new(),
        "action": "patch",
        "kind": seen.kind,
        "record": record,
        "base": base,
        "set": {name: past[name] for name in fields if name in past},
        "unset": [name for name in fields if name not in past],
        "restores": {"version": version},
        "strict": True,
    }
    envelope = Envelope(sender=reviewer, writer="office")
    (result,) = push_batch(sync, session, envelope, [mutation]).results
    return write_version(result)


def dismiss(sync: Sync, session: Session, reviewer: Principal, kept: str) -> int:
    """Says that what was refused stays refused; it remains readable. Raises as :func:`restore`."""
    held, _kind = _need_open(sync, session, reviewer, kept)
    if held.kind != "parked":
        raise Problem("not_found")
    mutation = {
        "id": sync.ids.new(),
        "action": "patch",
        "kind": "parked",
        "record": held.id,
        "base": held.version,
        "set": {"state": "dismissed"},
        "strict": True,
    }
    envelope = Envelope(sender=reviewer, writer="office")
    (result,) = push_batch(sync, session, envelope, [mutation]).results
    return write_version(result)


def _lost(session: Session, kind: RecordKind, held: StoredRecord) -> dict[str, Any]:
    """P6: what lost, and of a decision all of it: nothing was taken of one that missed a change,
    and what was equal to what stood then may stand no more."""
    said = queries.received(session, held.data["mutation"])
    own = kind.owned["office"] if said.get("strict") else frozenset()
    values = {name: value for name, value in said.get("set", {}).items() if name in own}
    values |= held.data["lost"]
    gone = own.intersection(said.get("unset", ())).union(held.data["fields"]) - values.keys()
    return {"action": "patch", "set": values} | ({"unset": sorted(gone)} if gone else {})


def _is_decision(session: Session, target: StoredRecord, values: Mapping[str, Any]) -> bool:
    """B2: whether ``values`` decide anew; a decision that stood once was put back by an undo."""
    told = (version.changed for version in queries.history(session, target.id))
    stood = {changed["decided_at"][1] for changed in told if "decided_at" in changed}
    return "decided_at" in values and values["decided_at"] not in stood


def _refused(held: StoredRecord) -> dict[str, Any]:
    said = {"action": held.data["action"], "set": held.data["set"]}
    return said | ({"unset": held.data["unset"]} if held.data.get("unset") else {})


def _need_open(
    sync: Sync, session: Session, reviewer: Principal, kept: str
) -> tuple[StoredRecord, RecordKind]:
    """What is kept, and the kind of the record that it belongs to."""
    held = queries.find_record(session, kept)
    if held is None or held.kind not in KEPT:
        raise Problem("not_found")
    if not queries.may_open(sync.registry, reviewer, held):
        raise Problem("not_found")
    kind = sync.registry.get(held.data["record_kind"])
    if kind is None or not may_restore(reviewer, kind, held.region):
        raise Problem("forbidden")
    if held.data.get("state") != "open" or "withdrawn" in held.data.get("lost", {}):
        raise Problem("wrong_state")
    return held, kind
