"""The kinds ``visit`` and ``visit_report``."""

from server.casework.items import Waits
from server.domain.declaration import kind_from_schema
from server.domain.review.rules import (
    b1_items,
    b2_reasoned,
    derive_review,
    is_decided,
    reopen_on_evidence,
    review_steps,
)
from server.domain.visits import rules
from server.domain.visits.schemas import Visit, VisitReport
from server.people.principal import MANAGERS
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind


def visit_kind(policy: Policy) -> RecordKind:
    """V1, V3, V9: a visit to a customer, reviewed by the region manager (V5)."""
    limits = policy.visits
    steps = review_steps(policy, policy.terms.v5_review)

    def derive(change: Change, customer: Data | None) -> Data:
        return rules.derive_visit(change, customer, limits)

    def waits(change: Change) -> Waits:
        return b1_items(change, steps)

    return kind_from_schema(
        Visit,
        "visit",
        zh="拜访",
        en="Visit",
        parent="customer",
        office_roles=MANAGERS,
        decide_roles=MANAGERS,
        check=rules.check_visit,
        derive=derive,
        fold=reopen_on_evidence,
        waits=waits,
        is_closed=is_decided,
        summary=("customer", "purpose", "check_in", "result", "flags"),
        label="purpose",
    )


def visit_report_kind(policy: Policy) -> RecordKind:
    """V4, V5: the report of a visit, marked reviewed or returned by a manager."""
    steps = review_steps(policy, policy.terms.v5_review)

    def waits(change: Change) -> Waits:
        return b1_items(change, steps)

    return kind_from_schema(
        VisitReport,
        "visit_report",
        zh="拜访报告",
        en="Visit report",
        parent="visit",
        office_roles=MANAGERS,
        decide_roles=MANAGERS,
        check=lambda change, _visit: b2_reasoned(change),
        derive=lambda change, _visit: derive_review(change),
        fold=reopen_on_evidence,
        waits=waits,
        is_closed=is_decided,
        summary=("visit", "summary"),
        label="summary",
    )
