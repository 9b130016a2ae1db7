"""B2: what reviewers decide: right → rule → the same push as a device. There is no other way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from server.clock import from_wire, to_wire
from server.domain.review.rules import is_taken_back
from server.errors import Problem
from server.people.principal import Principal
from server.policy import Review
from server.sync import queries
from server.sync.engine import Sync
from server.sync.epochs import current_epoch
from server.sync.kinds import RecordKind
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord

DECISION = ("verdict", "verdict_reason", "verdict_note", "guidance", "decided_by", "decided_at")
"""The fields that every decision writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One verdict on the version that the reviewer saw."""

    record: str
    base: int
    verdict: str
    """``accepted``, ``returned``, ``rejected``; of a kind with a machine, the name of a move."""
    reason: str
    note: str = ""
    guidance: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the office that the decision needs."""


def decide(sync: Sync, session: Session, reviewer: Principal, decision: Decision) -> int:
    """Writes the decision; the record's new version.

    Raises Problem ``not_found``, ``forbidden``, ``validation`` (B2: no reason), and
    ``wrong_state`` where anybody changed the record since ``base``: nothing is overwritten then,
    and what the reviewer wrote is kept as a conflict beside the record.
    """
    seen = _decidable(sync, session, reviewer, decision.record)
    said = {
        **decision.values,
        "verdict": decision.verdict,
        "verdict_reason": decision.reason or None,
        "verdict_note": decision.note or None,
        "guidance": decision.guidance or None,
        "decided_by": reviewer.user,
        "decided_at": to_wire(deciding_at(sync, seen)),
    }
    if "pause" in seen.data:  # X8: what it waited for does not stop the clocks behind it
        said["pause"] = None
    return write_strictly(sync, session, reviewer, seen, base=decision.base, values=said)


def deciding_at(sync: Sync, seen: StoredRecord) -> datetime:
    """B2: now, and behind the decision that stands, also where the clock was set back since: an
    earlier moment would take that one back."""
    now, stands = sync.clock.now(), seen.data.get("decided_at")
    return now if stands is None else max(now, from_wire(str(stands)) + timedelta(milliseconds=1))


def undo(sync: Sync, session: Session, reviewer: Principal, record: str, *, rules: Review) -> int:
    """B2: takes back one's own decision within the policy's seconds; the record's new version.

    Raises Problem ``not_found``, ``forbidden``, and ``wrong_state`` where the time is over, the
    decision is somebody else's, or the record was changed after it.
    """
    seen = _decidable(sync, session, reviewer, record)
    decided_at = seen.data.get("decided_at")
    over = timedelta(seconds=rules.undo_seconds)
    mine = decided_at is not None and seen.data.get("decided_by") == reviewer.user
    if not mine or sync.clock.now() - from_wire(str(decided_at)) > over:
        raise Problem("wrong_state")
    before = _before_decision(session, seen, sync.registry.kinds[seen.kind])
    return write_strictly(sync, session, reviewer, seen, base=seen.version, values=before)


def _decidable(sync: Sync, session: Session, reviewer: Principal, record: str) -> StoredRecord:
    """P5: a record that the reviewer may not open answers like one that does not exist."""
    seen = queries.find_record(session, record)
    kind = sync.registry.get(seen.kind) if seen else None
    if seen is None or kind is None or not queries.may_open(sync.registry, reviewer, seen):
        raise Problem("not_found")
    if not reviewer.has(kind.decide_roles, seen.region):
        raise Problem("forbidden")
    return seen


def _before_decision(session: Session, seen: StoredRecord, kind: RecordKind) -> dict[str, Any]:
    """The office's fields as they stood before it, where nothing but findings is newer."""
    told = (version.changed for version in reversed(queries.history(session, seen.id)))
    newest = next(changed for changed in told if changed.keys() - kind.findings)
    if is_taken_back(*newest.get("decided_at", (None, None))):  # an undo is not undone
        raise Problem("wrong_state")
    return {name: newest[name][0] for name in newest if name in kind.owned["office"]}


HANDLING = ("assigned_to", "pause")


def handle(
    sync: Sync,
    session: Session,
    reviewer: Principal,
    record: str,
    *,
    base: int,
    values: Mapping[str, str | None],
) -> int:
    """X8: names who works a case, or stops its clock for a reason; the record's new version.

    Raises Problem ``not_found``, ``forbidden``, ``validation``, and ``wrong_state`` where anybody
    changed the record since ``base``.
    """
    seen = _decidable(sync, session, reviewer, record)
    told = {name: value for name, value in values.items() if name in HANDLING}
    return write_strictly(sync, session, reviewer, seen, base=base, values=told)


def guide_photo(
    sync: Sync, session: Session, reviewer: Principal, photo: str, *, base: int, guidance: str
) -> int:
    """V5, B2: says what is wrong with one photo; the photo's new version.

    For whoever decides the record above it. Raises Problem ``not_found``, ``forbidden``,
    ``validation``, and ``wrong_state`` where anybody changed the photo since ``base``.
    """
    seen = queries.find_record(session, photo)
    if seen is None or "guidance" not in sync.registry.kinds[seen.kind].fields:
        raise Problem("not_found")
    above = _decidable(sync, session, reviewer, str(seen.data.get("parent")))
    if seen.region != above.region:
        raise Problem("not_found")
    return write_strictly(
        sync, session, reviewer, seen, base=base, values={"guidance": guidance or None}
    )


def write_strictly(
    sync: Sync,
    session: Session,
    writer: Principal,
    seen: StoredRecord,
    *,
    base: int,
    values: Mapping[str, Any],
) -> int:
    """One strict mutation of the office, the record's new version; None takes a field away.

    *Raises* the Problem with which it was refused; ``wrong_state`` where anybody wrote since
    ``base``.
    """
    mutation = {
        "id": sync.ids.new(),
        "action": "patch",
        "kind": seen.kind,
        "record": seen.id,
        "epoch": current_epoch(session),
        "base": base,
        "set": {name: value for name, value in values.items() if value is not None},
        "unset": [name for name, value in values.items() if value is None],
        "strict": True,
    }
    envelope = Envelope(sender=writer, writer="office")
    (result,) = push_batch(sync, session, envelope, [mutation]).results
    return write_version(result)


def write_version(result: Mapping[str, Any]) -> int:
    """The version that a result names; *raises* the Problem that an office's write met."""
    if result.get("outcome") == "conflict":
        raise Problem("wrong_state")
    if result.get("outcome") == "rejected":
        problem = result["problem"]
        raise Problem(problem["code"], fields=problem.get("fields"))
    if "version" not in result:
        raise Problem("unavailable", retry_after=result.get("after", 5))
    return int(result["version"])
