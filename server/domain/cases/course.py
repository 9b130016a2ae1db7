"""How a cross-region case goes its way: what a change, and what comes beneath it, makes of it.

The rules are in ``rules``, the states in ``machines``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from server.casework.machine import Condition, Machine
from server.domain.cases import rules
from server.domain.cases.checks import with_overrides
from server.domain.cases.machines import (
    ANSWERED,
    CROSS_REGION,
    IN_INTAKE,
    RETURNED,
    UNSIGNED,
    WITHDRAW,
)
from server.domain.positions import position_flags, with_flags
from server.domain.review.rules import is_edited, is_newly_decided
from server.domain.review.steps import b2_step_errors, derive_steps, settle_steps
from server.policy import Policy
from server.sync.kinds import Change, Data, FieldErrors


def conditions(policy: Policy, *, handed_in: bool) -> dict[str, Condition]:
    """When a case goes on by itself; ``handed_in``: what was sent back has been mended now."""

    def is_signed(case: Mapping[str, Any]) -> bool:
        return rules.x3_is_signed(case.get("signed_by", ()), policy.cases)

    return {
        "is_signed": is_signed,
        "handed_in": lambda _case: handed_in,
        "lacks_signatures": lambda case: handed_in and not is_signed(case),
        "stays_in_region": lambda case: rules.x4_stays_in_region(dict(case)),
        "goes_to_market": lambda case: not rules.x4_stays_in_region(dict(case)),
        "is_rebutted": lambda case: rules.x6_is_rebutted(dict(case)),
        "rebuttal_over": lambda case: case.get("rebuttal_over") is True,
    }


def case_errors(change: Change) -> FieldErrors:
    """B2, X3: what is unsigned is not decided; a move leads out of the state that stands."""
    stands = (change.before or {}).get("state")
    if stands == UNSIGNED and is_newly_decided(change) and "verdict" in change.after:
        return {"verdict": "unsigned"}
    before, after = ((data or {}).get("overrides") for data in (change.before, change.after))
    if before != after and stands not in IN_INTAKE:  # X4: what was decided on is frozen
        return {"overrides": "not_in_state"}
    return b2_step_errors(CROSS_REGION, change)


def derive_case(change: Change, policy: Policy) -> Data:
    """The server's fields of a case that follow from its own data."""
    case = change.after
    points = {"check_points": with_overrides(case)} if "check_points" in case else {}
    own = {
        **points,
        "signed_by": rules.x3_counting(case, case.get("signatures", ())),
        "missing_tags": rules.x2_missing(rules.x2_count(case, ()), policy.cases.required_tags),
    }
    return derive_steps(
        CROSS_REGION,
        change,
        policy=policy,
        when=conditions(policy, handed_in=is_mended(change)),
        found=case_flags(change, policy),
        derived=own,
    )


def is_mended(change: Change) -> bool:
    """X9: whether a device mended what had been sent back."""
    return (change.before or {}).get("state") == RETURNED and is_edited(change)


def case_flags(change: Change, policy: Policy) -> set[str]:
    """X3, X9: what changes after the signatures is flagged; so is a remarkable position."""
    before = change.before or {}
    stands = before.get("state", UNSIGNED)
    signed = bool(before.get("signatures")) if stands == UNSIGNED else stands != RETURNED
    found = position_flags(change.after.get("position"), policy.visits.position_age_minutes * 60)
    return found | ({"changed_after_signing"} if signed and _is_rewritten(change) else set())


def _is_rewritten(change: Change) -> bool:
    """Whether a device changed what was said, rather than take the case back."""
    before, after = (
        {name: value for name, value in (data or {}).items() if name != WITHDRAW.field}
        for data in (change.before, change.after)
    )
    return is_edited(change) and before != after


def fold_case(case: Data, children: tuple[Change, ...], policy: Policy) -> Data:
    """The server's fields of a case that follow from what is written beneath it."""
    signatures = rules.x3_collect(case, children)
    told = {
        **tell_tags(case, children, policy),
        "signatures": signatures,
        "signed_by": rules.x3_counting(case, signatures),
        "flags": with_flags(case, gallery(children)),
    }
    beneath = {
        "rebuttals": rules.x6_collect(case, children),
        "traces": rules.x5_collect(case, children),
    }
    told |= {name: entries for name, entries in beneath.items() if entries}
    answered = sum(one["state"] == ANSWERED for one in beneath["traces"])
    if answered or "traces_answered" in case:
        told["traces_answered"] = answered
    return {**told, **settle(CROSS_REGION, {**case, **told}, children, policy)}


def tell_tags(case: Data, children: Iterable[Change], policy: Policy) -> Data:
    """X2: what the photos beneath a case show, and what is still missing."""
    counts = rules.x2_count(case, children)
    return {
        "tag_counts": [{"tag": tag, "photos": counts[tag]} for tag in sorted(counts)],
        "missing_tags": rules.x2_missing(counts, policy.cases.required_tags),
    }


def gallery(children: Iterable[Change]) -> set[str]:
    """X2: the flag that a photo from the gallery gives its case."""
    photos = [child for child in children if child.kind == "photo"]
    return {"gallery" for photo in photos if "gallery" in photo.after.get("flags", ())}


def settle(machine: Machine, case: Data, children: Iterable[Change], policy: Policy) -> Data:
    """Where a case goes by what came beneath it; what comes from a device hands it in again."""
    mended = any(child.before is None and child.by.device for child in children)
    when = conditions(policy, handed_in=mended)
    return settle_steps(machine, case, policy=policy, when=when)
