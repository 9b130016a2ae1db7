"""What the server does with market cases and reports of prices as time goes by: the same push as a
device."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any

import structlog
from sqlalchemy.orm import Session

from server.domain.cases import following, queries
from server.domain.cases.following import Asked, Looked
from server.domain.cases.looking import Look, Seen
from server.domain.cases.machines import (
    CLOSED,
    CROSS_REGION,
    IN_INTAKE,
    MARKET,
    REGION,
    RETURNED,
    TRACE,
    UNSIGNED,
)
from server.domain.cases.price_looking import see_prices
from server.domain.cases.price_machine import PRICE
from server.domain.cases.rules import x6_arrived
from server.domain.review.actions import write_strictly, write_version
from server.errors import Problem
from server.people.principal import Principal
from server.people.regions import load_tree
from server.policy import Policy
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, children, find_record, find_records, may_open
from server.values import replace

OVERRIDERS = MARKET | REGION
MOST = 50
"""So many cases are looked at in one round."""
SERVER = Principal(user="server", name="server", session="")

log = structlog.get_logger()


def follow_cases(session: Session, sync: Sync, policy: Policy) -> int:
    """X5, X6, X15: asks where batches went, says what the answers and the tables mean, and ends
    what ran out.

    Only cases and reports on which something new bears are looked at; how many were.
    """
    now, tree = sync.clock.now(), load_tree(session)
    following.note_changes(session, following.rules_now(policy, tree), now)
    due = following.due_looks(session, now, limit=MOST)
    look = Look(session, sync.registry, policy, tree)
    looked = [_try(session, asked, lambda one: _look_at(sync, look, one)) for asked in due]
    following.settle_looks(session, looked, now)
    return sum(one.failure is None for one in looked)


def is_behind(session: Session, sync: Sync, policy: Policy) -> bool:
    """Whether the worker still has to look at a case."""
    rules = following.rules_now(policy, load_tree(session))
    return following.is_behind(session, rules, sync.clock.now())


def _look_at(sync: Sync, look: Look, asked: Asked) -> Looked:
    """Looks at one case, and writes what is new; one that is at no work needs no look."""
    case = find_record(look.session, asked.record)
    if case is None or _is_with_the_rep(case):
        return Looked(asked=asked)
    if _is_over(case):
        _end_traces(look.session, sync, case)
        return Looked(asked=asked)
    if case.kind == queries.PRICE_REPORT:
        seen = see_prices(look.session, look.policy, look.tree, case)
    else:
        _ask_logistics(sync, look, case)
        case = find_records(look.session, [case.id])[case.id]
        seen = _see_case(look, case)
    version = write(look.session, sync, case, seen.findings) if seen.findings else case.version
    # What somebody else wrote in between is looked at again.
    own = version if version <= case.version + 1 else case.version
    return Looked(asked=asked, version=own, basis=seen.basis)


def _see_case(look: Look, case: StoredRecord) -> Seen:
    """What the traces of a case and the accused's time say."""
    seen = look.see(case, children(look.session, case.id, "batch_trace"))
    found = {**seen.findings, **_new_evidence(look.session, case)}
    if queries.is_unanswered(look.session, case.id):
        found["rebuttal_over"] = True
    return replace(seen, findings=found)


def _ask_logistics(sync: Sync, look: Look, case: StoredRecord) -> None:
    """X5: a trace of each batch, with what the shipments propose today."""
    session = look.session
    began = queries.submitted_at(session, [case.id]).get(case.id)
    for trace, values in look.missing_traces(case, began):
        _create(session, sync, trace, values)
    for ended in _traces_in(session, case, CLOSED):
        write(session, sync, ended, {"case_over": None})
    for outdated, values in look.outdated_traces(_traces_in(session, case, TRACE.start)):
        write(session, sync, outdated, values)


def _new_evidence(session: Session, case: StoredRecord) -> dict[str, Any]:
    """X6: what has arrived by now of that which the accused announced, where that is news."""
    if "rebuttals" not in case.data:
        return {}
    handed_in = children(session, case.id, "rebuttal")
    told = x6_arrived(case.data, {one.id: one.data.get("verified", 0) for one in handed_in})
    return {} if told == case.data["rebuttals"] else {"rebuttals": told}


def _end_traces(session: Session, sync: Sync, case: StoredRecord) -> None:
    """X5, B1: nobody is asked where goods of a case went that is over."""
    for trace in _traces_in(session, case, TRACE.start):
        write(session, sync, trace, {"case_over": True})


def _traces_in(session: Session, case: StoredRecord, state: str) -> list[StoredRecord]:
    traces = children(session, case.id, "batch_trace")
    return [one for one in traces if one.data["state"] == state]


def _is_with_the_rep(case: StoredRecord) -> bool:
    """Whether it was not submitted yet, or sent back."""
    return case.live and case.data.get("state") in {UNSIGNED, RETURNED}


def _is_over(case: StoredRecord) -> bool:
    machine = PRICE if case.kind == queries.PRICE_REPORT else CROSS_REGION
    return not case.live or machine.is_end(str(case.data.get("state")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """X4: what a person says of one point of the check, on the version that was seen."""

    case: str
    base: int
    point: str
    result: str
    """``yes``, ``no`` or ``unknown``."""
    reason: str


def may_override(by: Principal, case: StoredRecord) -> bool:
    """X4: whether ``by`` may say otherwise of its points, as long as it is in intake."""
    in_intake = case.live and case.data.get("state") in IN_INTAKE
    return in_intake and case.kind == queries.CASE and by.has(OVERRIDERS, case.region)


def override_point(session: Session, sync: Sync, by: Principal, said: Override) -> int:
    """Writes what ``by`` says of a point beside the machine's word; the case's new version.

    *Raises* ``not_found``, ``forbidden``, ``validation`` without a reason or once the intake is
    over, and ``wrong_state`` where anybody wrote since ``base``.
    """
    case = find_record(session, said.case)
    if case is None or not may_open(sync.registry, by, case) or case.kind != queries.CASE:
        raise Problem("not_found")
    if not by.has(OVERRIDERS, case.region):
        raise Problem("forbidden")
    told = {"point": said.point, "result": said.result, "reason": said.reason, "by": by.user}
    others = [one for one in case.data.get("overrides", ()) if one["point"] != said.point]
    values = {"overrides": [*others, told]}
    return write_strictly(sync, session, by, case, base=said.base, values=values)


def _try(session: Session, asked: Asked, act: Callable[[Asked], Looked]) -> Looked:
    """P8: one that fails is left for a later time and stands in nobody's way."""
    try:
        return act(asked)
    except Exception as error:
        session.rollback()
        log.exception("case_not_followed", record=asked.record)
        return Looked(asked=asked, failure=_said(error))


def _said(error: Exception) -> str:
    """What failed and where; K4: not with which values, for whoever reads it sees no customers."""
    place = extract_tb(error.__traceback__)[-1]
    what = error.code if isinstance(error, Problem) else type(error).__name__
    return f"{what} ({Path(place.filename).name}:{place.lineno})"


def write(session: Session, sync: Sync, seen: StoredRecord, values: dict[str, Any]) -> int:
    """The record's new version with fields that the server sets; None takes one away."""
    patch = {"action": "patch", "kind": seen.kind, "record": seen.id, "base": seen.version}
    told = {name: value for name, value in values.items() if value is not None}
    gone = [name for name, value in values.items() if value is None]
    return _push(session, sync, {**patch, "set": told, "unset": gone})


def _create(session: Session, sync: Sync, trace: str, values: dict[str, Any]) -> int:
    made = {"action": "create", "kind": "batch_trace", "record": trace, "base": 0}
    return _push(session, sync, {**made, "set": values})


def _push(session: Session, sync: Sync, said: dict[str, Any]) -> int:
    envelope = Envelope(sender=SERVER, writer="server")
    [result] = push_batch(sync, session, envelope, [{"id": sync.ids.new(), **said}]).results
    return write_version(result)
