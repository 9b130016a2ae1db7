"""What a penalty needs, rests on and brings about (X14). Pure."""

from collections.abc import Mapping
from decimal import Decimal

from server.casework.machine import Condition, Machine
from server.domain.cases.machines import ACROSS, COUNTERFEIT, CROSS_REGION, DECIDING, INSIDE
from server.domain.cases.price_machine import PRICE
from server.domain.review.rules import is_newly_decided, is_undone
from server.people.principal import Principal
from server.roles import Role
from server.sync.kinds import Change, Data, FieldErrors

DEPOSIT = "deposit"
SORTS = {
    "warning": ("警告", "Warning"),
    "fine": ("罚款", "Fine"),
    DEPOSIT: ("扣除保证金", "Deduction from the deposit"),
}
"""X14: what there is in every company; the policy names further ones."""
OF_MONEY = frozenset({"fine", DEPOSIT})
UPHELD = frozenset({"upheld", "confirmed"})
"""Decisions with which a penalty may be proposed."""
DECIDED: Mapping[str, Machine] = {
    "cross_region_case": CROSS_REGION,
    "counterfeit_report": COUNTERFEIT,
    "price_report": PRICE,
}
"""Kinds of cases that may end with a penalty."""


def x14_deciders(kind: str, case: Data) -> frozenset[Role]:
    """X14: who decided the case, and so may propose; nobody while it is not upheld."""
    machine = DECIDED.get(kind)
    if machine is None or case.get("state") not in UPHELD:
        return frozenset()
    # A reopening that was taken back came from behind the decision, but on the same track.
    came_from = str(case.get("came_from"))
    track = INSIDE if came_from.startswith(INSIDE.prefix) else ACROSS
    move = machine.move(track.prefix + DECIDING, str(case.get("verdict")))
    return move.roles if move else frozenset()


def x14_may_propose(by: Principal, kind: str, case: Data) -> bool:
    """X14: whether ``by`` holds the role that decided, where the case belongs."""
    return by.has(x14_deciders(kind, case), str(case.get("affected_market")))


def x14_proposal_errors(penalty: Data, by: Principal, kind: str, case: Data) -> FieldErrors:
    """X14: what keeps ``penalty`` from being proposed with the decision on ``case``."""
    if not x14_rests(penalty, case):
        return {"rests_on": "not_in_state"}
    if not x14_may_propose(by, kind, case):
        return {"case": "not_your_role"}
    amount = penalty.get("amount")
    if amount is None:
        return {"amount": "required"} if penalty["sort"] in OF_MONEY else {}
    if not Decimal(amount):
        return {"amount": "above:0"}
    return {} if "currency" in penalty else {"currency": "required"}


def x14_errors(change: Change, case: Data) -> FieldErrors:
    """X14: what keeps a change of a penalty from being taken, beside its states."""
    penalty = change.after
    if change.before is None:
        return x14_proposal_errors(penalty, change.by, str(change.parent_kind), case)
    if not is_newly_decided(change) or is_undone(change):
        return {}
    verdict = penalty.get("verdict")
    if verdict in {"approved", "stands"} and not _is_upheld(penalty, case):
        return {"verdict": "not_in_state"}
    if verdict == "topped_up" and _is_short(penalty):
        return {"topped_up": f"too_small:{penalty['amount']}"}
    return {}


def _is_upheld(penalty: Data, case: Data) -> bool:
    """Whether the decision stands that is approved, or, where that was in doubt, a new one."""
    confirmed = penalty["verdict"] == "stands"
    return case.get("state") in UPHELD if confirmed else x14_rests(penalty, case)


def _is_short(penalty: Data) -> bool:
    """A part of what was deducted is no top-up."""
    said = penalty.get("topped_up")
    return said is not None and Decimal(said) < Decimal(penalty["amount"])


def x14_rests(penalty: Data, case: Data) -> bool:
    """X14: whether the decision that the penalty was proposed or confirmed with still stands."""
    return case.get("state") in UPHELD and case.get("decided_at") == penalty.get("rests_on")


def x14_tops_up(penalty: Data) -> bool:
    """X14: a deduction from the deposit is topped up, once."""
    return penalty.get("sort") == DEPOSIT and "topped_up_on" not in penalty


def x14_conditions(case: Data) -> Mapping[str, Condition]:
    """When a penalty goes on by itself."""
    return {
        "case_reopened": lambda penalty: not x14_rests(dict(penalty), case),
        "tops_up": lambda penalty: x14_tops_up(dict(penalty)),
    }


def x14_rests_on(change: Change, case: Data) -> Data:
    """X14: a penalty that is confirmed rests on the decision that stands by then."""
    decided = change.before is not None and is_newly_decided(change) and not is_undone(change)
    confirmed = decided and change.after.get("verdict") == "stands"
    return {"rests_on": case["decided_at"]} if confirmed else {}
