"""What a cross-region case still lacks and where it stands. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from server.domain.positions import position_flags, with_flags
from server.domain.review.rules import SUBMITTED, derive_review, is_edited, reopen_on_evidence
from server.policy import Cases, Policy
from server.sync.kinds import Author, Change, Data, Placement

ACCUSED = "accused_dealer"
UNSIGNED = "unsigned"


def x1_place(case: Data, by: Author) -> Placement:
    """X1: a case belongs to its sender and to the affected market."""
    market = case["affected_market"]
    scopes = frozenset({f"user:{by.user}", f"region:{market}"})
    return Placement(scopes=scopes, region=market)


def x2_count(case: Data, children: Iterable[Change]) -> Counter[str]:
    """X2: photos of the case by tag, after ``children`` were written."""
    counts = Counter({entry["tag"]: entry["photos"] for entry in case.get("tag_counts", ())})
    for child in children:
        if child.kind != "photo":
            continue
        if child.before is not None and "tag" in child.before:
            counts[child.before["tag"]] -= 1
        if not child.withdrawn and "tag" in child.after:
            counts[child.after["tag"]] += 1
    return +counts


def x2_missing(counts: Counter[str], required: Iterable[str]) -> list[str]:
    """X2: tags that the form still asks for, in the policy's order."""
    return [tag for tag in required if not counts[tag]]


def x3_collect(case: Data, children: Iterable[Change]) -> list[dict[str, Any]]:
    """X3: the standing signatures of the case, after ``children`` were written."""
    standing = {entry["signature"]: entry for entry in case.get("signatures", ())}
    for child in children:
        if child.kind != "signature":
            continue
        standing.pop(child.record, None)
        if not child.withdrawn:
            by = {name: child.after[name] for name in ("part", "customer") if name in child.after}
            standing[child.record] = {"signature": child.record, **by}
    return [standing[record] for record in sorted(standing)]


def x3_counting(case: Data, signatures: Iterable[Data]) -> list[str]:
    """X3: parts whose signatures count; the accused dealer's never does, whatever part it names."""
    accused = case.get("accused_customer")
    parts = {
        entry["part"]
        for entry in signatures
        if entry["part"] != ACCUSED and (accused is None or entry.get("customer") != accused)
    }
    return sorted(parts)


def x3_is_signed(parts: Iterable[str], limits: Cases) -> bool:
    """X3: of the counting ``parts``, each required one signed, or one that may stand in for it."""
    signed = set(parts)
    return all(
        signed & {part, *limits.signature_stand_ins.get(part, ())}
        for part in limits.required_signatures
    )


def x3_state(parts: Iterable[str], limits: Cases) -> str:
    """X3: a case waits as unsigned until its last signature submits it, for good."""
    return SUBMITTED if x3_is_signed(parts, limits) else UNSIGNED


def derive_case(change: Change, policy: Policy) -> Data:
    """The server's fields of a case that follow from its own data."""
    case, limits = change.after, policy.cases
    review = derive_review(change, case_flags(change, policy))
    parts = x3_counting(case, case.get("signatures", ()))
    waits = change.before is None or change.before.get("state") == UNSIGNED
    return {
        **review,
        "state": x3_state(parts, limits) if waits else review["state"],
        "signed_by": parts,
        "missing_tags": x2_missing(x2_count(case, ()), limits.required_tags),
    }


def case_flags(change: Change, policy: Policy) -> set[str]:
    """X3: what changes after the signatures is flagged; so is a remarkable position."""
    signed = (change.before or {}).get("state") == SUBMITTED and is_edited(change)
    found = position_flags(change.after.get("position"), policy.visits.position_age_minutes * 60)
    return found | ({"changed_after_signing"} if signed else set())


def fold_case(case: Data, children: tuple[Change, ...], limits: Cases) -> Data:
    """The server's fields of a case that follow from photos and signatures beneath it."""
    counts, signatures = x2_count(case, children), x3_collect(case, children)
    parts = x3_counting(case, signatures)
    state = case.get("state", UNSIGNED)
    if state == UNSIGNED:
        state = x3_state(parts, limits)
    from_gallery = {
        "gallery"
        for child in children
        if child.kind == "photo" and "gallery" in child.after.get("flags", ())
    }
    return {
        "tag_counts": [{"tag": tag, "photos": counts[tag]} for tag in sorted(counts)],
        "missing_tags": x2_missing(counts, limits.required_tags),
        "signatures": signatures,
        "signed_by": parts,
        "state": state,
        "flags": with_flags(case, from_gallery),
        **reopen_on_evidence(case, children),
    }
