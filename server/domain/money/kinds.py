"""The kind ``receipt``."""

from server.casework.items import Waits
from server.domain.declaration import kind_from_schema
from server.domain.money import rules
from server.domain.money.schemas import Receipt
from server.domain.review.rules import (
    b1_items,
    b2_reasoned,
    derive_review,
    is_decided,
    reopen_on_evidence,
    review_steps,
)
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, RecordKind


def receipt_kind(policy: Policy) -> RecordKind:
    """R1: an expense document, reviewed by the region manager."""
    steps = review_steps(policy, policy.terms.r1_review)

    def waits(change: Change) -> Waits:
        return b1_items(change, steps)

    return kind_from_schema(
        Receipt,
        "receipt",
        zh="票据",
        en="Receipt",
        place=rules.r1_place,
        office_roles=MANAGERS | {Role.FINANCE_OFFICER},
        decide_roles=MANAGERS | {Role.FINANCE_OFFICER},
        check=lambda change, _parent: b2_reasoned(change),
        derive=lambda change, _parent: derive_review(change),
        fold=reopen_on_evidence,
        claims=(("number", "seller", "amount"),),
        amounts=frozenset({"amount"}),
        waits=waits,
        is_closed=is_decided,
        summary=("kind", "amount", "currency", "date", "seller"),
        label="seller",
    )
