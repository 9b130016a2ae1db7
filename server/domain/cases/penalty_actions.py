"""X14: proposing a penalty, and keeping each beside its case: the same push as a device."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import transaction
from server.domain.cases.actions import SERVER
from server.domain.cases.penalizing import (
    DECIDED,
    x14_may_propose,
    x14_proposal_errors,
    x14_rests,
)
from server.domain.cases.penalties import KIND
from server.domain.cases.penalty_machine import DOUBTED, PENALTY
from server.domain.cases.penalty_tables import PenaltyPlace
from server.domain.review.actions import write_version
from server.errors import Problem
from server.people.principal import Principal
from server.people.users import find_user
from server.sync.batch import Sender
from server.sync.changes import changed_after
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import (
    StoredRecord,
    children,
    children_of,
    find_record,
    find_records,
    may_open,
)

PAGE = 500
"""Changes of the feed that are looked at together."""
PAGES = 50
"""Pages of one round."""
WATCHED = frozenset(
    name for name, state in PENALTY.states.items() if DOUBTED in {to for _when, to in state.passes}
)
"""X14: states in which a penalty rests on the decision of its case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """X14: a penalty as somebody proposes it; what is empty is not said."""

    id: str
    """Made by the page, so that the same form sent twice proposes once."""
    case: str
    rests_on: str
    """When the case was decided that the proposer saw."""
    sort: str
    party: str
    reason: str
    amount: str = ""
    currency: str = ""
    responsible: tuple[str, ...] = ()
    """User names of the staff that answers for it jointly."""


def propose_penalty(session: Session, sync: Sync, by: Principal, said: Proposal) -> str:
    """Proposes a penalty to the general manager; its record.

    *Raises* ``not_found`` for a case that ``by`` may not open, ``forbidden`` without the role that
    decided it, ``wrong_state`` where that decision stands no more, ``validation``.
    """
    case = find_record(session, said.case)
    if case is None or case.kind not in DECIDED or not may_open(sync.registry, by, case):
        raise Problem("not_found")
    values = _values(session, said)
    _refuse(sync, by, case, values)
    made = {"action": "create", "kind": KIND, "record": said.id, "base": 0, "set": values}
    _push(session, sync, by, "office", made)
    return said.id


def _values(session: Session, said: Proposal) -> dict[str, Any]:
    told = {
        name: getattr(said, name)
        for name in ("case", "rests_on", "sort", "party", "reason", "amount", "currency")
        if getattr(said, name)
    }
    people = [find_user(session, username) for username in said.responsible]
    if None in people:
        raise Problem("validation", fields={"responsible": "reference"})
    named = sorted(person.id for person in people if person is not None)
    return {**told, "responsible": named} if named else told


def _refuse(sync: Sync, by: Principal, case: StoredRecord, values: dict[str, Any]) -> None:
    """Refused before it is written, so that no device is told what was not taken (P5)."""
    wrong = dict(sync.registry.kinds[KIND].check_create(values))
    wrong = wrong or dict(x14_proposal_errors(values, by, case.kind, case.data))
    if "rests_on" in wrong:
        raise Problem("wrong_state")
    if "case" in wrong:
        raise Problem("forbidden")
    if wrong:
        raise Problem("validation", fields=wrong)


def may_read(sync: Sync, reader: Principal, case: StoredRecord) -> bool:
    """P5: whether ``reader`` may know of penalties beneath ``case``."""
    roles = sync.registry.kinds[KIND].office_roles
    return case.kind in DECIDED and reader.has(roles, case.region)


def may_propose(by: Principal, case: StoredRecord) -> bool:
    """X14: whether ``by`` holds the role that upheld ``case``."""
    return x14_may_propose(by, case.kind, case.data)


def penalties_of(
    session: Session, sync: Sync, reader: Principal, case: str
) -> tuple[StoredRecord, ...]:
    """P5: the penalties beneath a case that ``reader`` may open, in the order of arrival."""
    found = children(session, case, KIND)
    return tuple(one for one in found if may_open(sync.registry, reader, one))


def follow_penalties(session: Session, sync: Sync) -> int:
    """X14: what rests on a decision that stands no more is put in doubt; how much was done.

    Driven by what changed, and by the decision that each rests on, so that a case that was opened
    and decided again while nobody looked is seen as well.
    """
    done = 0
    for _page in range(PAGES):
        some = _follow_page(session, sync)
        done += some
        if not some:
            break
    return done


def _follow_page(session: Session, sync: Sync) -> int:
    place = session.scalar(select(PenaltyPlace.feed)) or 0
    changed, reached = changed_after(session, place, limit=PAGE)
    if reached == place:
        return 0
    unfounded = _unfounded(session, changed)
    for penalty in unfounded:
        _doubt(session, sync, penalty)
    with transaction(session):
        session.merge(PenaltyPlace(id=1, feed=reached))
    return 1 + len(unfounded)


def _unfounded(session: Session, cases: list[str]) -> list[StoredRecord]:
    """Penalties beneath ``cases`` that rest on a decision which is gone."""
    beneath = children_of(session, cases, KIND)
    above = find_records(session, [case for case, found in beneath.items() if found])
    return [
        penalty
        for case, found in beneath.items()
        for penalty in found
        if penalty.data["state"] in WATCHED and not x14_rests(penalty.data, above[case].data)
    ]


def _doubt(session: Session, sync: Sync, penalty: StoredRecord) -> None:
    """Looks again at a penalty whose case was opened: its machine says the rest."""
    patch = {"action": "patch", "kind": KIND, "record": penalty.id, "base": penalty.version}
    _push(session, sync, SERVER, "server", {**patch, "set": {}})


def _push(session: Session, sync: Sync, by: Principal, writer: Sender, said: dict[str, Any]) -> int:
    envelope = Envelope(sender=by, writer=writer)
    [result] = push_batch(sync, session, envelope, [{"id": sync.ids.new(), **said}]).results
    return write_version(result)
