"""What the server does with market cases as time goes by: the same push as a device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from server.domain.cases import queries
from server.domain.cases.checks import Result
from server.domain.cases.looking import Look
from server.domain.cases.machines import MARKET, REGION
from server.domain.review.actions import write_strictly, write_version
from server.errors import Problem
from server.people.principal import Principal
from server.people.regions import load_tree
from server.policy import Policy
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_record, find_records, may_open

OVERRIDES = MARKET | REGION
SERVER = Principal(user="server", name="server", session="")

log = structlog.get_logger()


def follow_cases(session: Session, sync: Sync, policy: Policy) -> int:
    """X5, X6: asks where batches went, says what the answers mean, and ends what ran out."""
    return look_at_cases(session, sync, policy) + end_rebuttals(session, sync)


def end_rebuttals(session: Session, sync: Sync) -> int:
    """X6: where the accused showed no evidence in time, the case goes on without; how many did."""
    late = find_records(session, queries.unanswered_cases(session))
    over = {"rebuttal_over": True}
    return sum(
        _try(session, case, lambda one: write(session, sync, one, over)) for case in late.values()
    )


def look_at_cases(session: Session, sync: Sync, policy: Policy) -> int:
    """Looks at each case whose facts have changed since it was last looked at; how many had."""
    look = Look(session, sync.registry, policy)
    fresh = look.changed_cases()
    if not fresh:
        return 0
    look.tree = load_tree(session)
    began = queries.submitted_at(session, [case.id for case in fresh])

    def take(case: StoredRecord) -> None:
        for trace, values in look.missing_traces(case, began.get(case.id)):
            _create(session, sync, trace, values)
        write(session, sync, case, look.findings(case))

    return sum(_try(session, case, take) for case in fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """X4: what a person says of one point of the check, on the version that was seen."""

    case: str
    base: int
    point: str
    result: Result
    reason: str


def override_point(session: Session, sync: Sync, by: Principal, said: Override) -> int:
    """Writes what ``by`` says of a point beside the machine's word; the case's new version.

    *Raises* ``not_found``, ``forbidden``, ``validation`` without a reason or once the intake is
    over, and ``wrong_state`` where anybody wrote since ``base``.
    """
    case = find_record(session, said.case)
    if case is None or not may_open(sync.registry, by, case) or case.kind != queries.CASE:
        raise Problem("not_found")
    if not by.has(OVERRIDES, case.region):
        raise Problem("forbidden")
    told = {"point": said.point, "result": said.result, "reason": said.reason, "by": by.user}
    others = [one for one in case.data.get("overrides", ()) if one["point"] != said.point]
    values = {"overrides": [*others, told]}
    return write_strictly(sync, session, by, case, base=said.base, values=values)


def _try(session: Session, case: StoredRecord, act: Callable[[StoredRecord], object]) -> bool:
    """P8: one that fails is left for the next time and stands in nobody's way."""
    try:
        act(case)
    except Exception:
        session.rollback()
        log.exception("case_not_followed", record=case.id)
        return False
    return True


def write(session: Session, sync: Sync, case: StoredRecord, values: dict[str, Any]) -> int:
    """The record's new version with fields that the server sets."""
    patch = {"action": "patch", "kind": case.kind, "record": case.id, "base": case.version}
    return _push(session, sync, {**patch, "set": values})


def _create(session: Session, sync: Sync, trace: str, values: dict[str, Any]) -> int:
    made = {"action": "create", "kind": "batch_trace", "record": trace, "base": 0}
    return _push(session, sync, {**made, "set": values})


def _push(session: Session, sync: Sync, said: dict[str, Any]) -> int:
    envelope = Envelope(sender=SERVER, writer="server")
    [result] = push_batch(sync, session, envelope, [{"id": sync.ids.new(), **said}]).results
    return write_version(result)
