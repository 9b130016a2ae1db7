"""What a cross-region case holds, lacks, and whose it is. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from server.policy import Cases
from server.sync.kinds import Author, Change, Data, Placement

ACCUSED = "accused_dealer"
REFUSED = "refused"
"""The state of evidence whose bytes were not what its record says."""


def x1_place(case: Data, by: Author) -> Placement:
    """X1: a case belongs to its sender and to the affected market."""
    market = case["affected_market"]
    scopes = frozenset({f"user:{by.user}", f"region:{market}"})
    return Placement(scopes=scopes, region=market)


OFFICE_SCOPE = "office"
"""P5: no device holds this scope; what stands in it is told to those who may open it, and to the
systems that hear of the whole company."""


def p5_office_only(_record: Data, case: Placement) -> Placement:
    """P5: where goods went, and who is punished, is for the office, whoever may see the case."""
    return Placement(scopes=frozenset({OFFICE_SCOPE}), region=case.region)


def x2_count(case: Data, children: Iterable[Change]) -> Counter[str]:
    """X2: photos of the case by tag, after ``children`` were written."""
    counts = Counter({entry["tag"]: entry["photos"] for entry in case.get("tag_counts", ())})
    for child in children:
        if child.kind != "photo":
            continue
        if child.before is not None and _is_shown(child.before):
            counts[child.before["tag"]] -= 1
        if not child.withdrawn and _is_shown(child.after):
            counts[child.after["tag"]] += 1
    return +counts


def _is_shown(photo: Data) -> bool:
    """X2: whether a photo shows something; whose bytes were refused, shows nothing."""
    return "tag" in photo and photo.get("state") != REFUSED


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
        if not child.withdrawn and child.after.get("state") != REFUSED:
            by = {name: child.after[name] for name in ("part", "customer") if name in child.after}
            standing[child.record] = {"signature": child.record, **by}
    return [standing[record] for record in sorted(standing)]


def x1_accused(case: Data) -> frozenset[str]:
    """X1, X5: whom the form accuses, and whom the traces do."""
    named = (case.get(name) for name in ("accused_customer", "derived_accused"))
    return frozenset(who for who in named if who)


def x3_counting(case: Data, signatures: Iterable[Data]) -> list[str]:
    """X3: parts whose signatures count; the accused dealer's never does, whatever part it names."""
    accused = x1_accused(case)
    parts = {
        entry["part"]
        for entry in signatures
        if entry["part"] != ACCUSED and entry.get("customer") not in accused
    }
    return sorted(parts)


def x3_is_signed(parts: Iterable[str], limits: Cases) -> bool:
    """X3: of the counting ``parts``, each required one signed, or one that may stand in for it."""
    signed = set(parts)
    return all(
        signed & {part, *limits.signature_stand_ins.get(part, ())}
        for part in limits.required_signatures
    )


def x4_stays_in_region(case: Data) -> bool:
    """X4: inside one centre a case is the region's, unless both managers signed it over."""
    return case.get("inside_centre") is True and not x4_is_confirmed(case)


def x4_is_confirmed(case: Data) -> bool:
    """X4: the region manager signed, and the sales manager confirmed."""
    return set(case.get("signed_by", ())) >= {"region_manager", "sales_manager"}


def x5_collect(case: Data, children: Iterable[Change]) -> list[dict[str, Any]]:
    """X5: the traces of the case, after ``children`` were written."""
    asked = {entry["trace"]: entry for entry in case.get("traces", ())}
    for child in children:
        if child.kind == "batch_trace":
            told = {"batch": child.after["batch"], "state": child.after["state"]}
            asked[child.record] = {"trace": child.record, **told}
    return [asked[record] for record in sorted(asked)]


def x5_answers(trace: Data) -> list[dict[str, Any]]:
    """X5: what an answer says; nothing while there is none."""
    match trace.get("verdict"):
        case "as_proposed":
            return list(trace.get("proposed", ()))
        case "shipped_to":
            names = ("market", "customer", "quantity", "unit")
            return [{name: trace[name] for name in names if name in trace}]
        case "shipped_to_several":
            return list(trace.get("shipments", ()))
        case _:
            return []


def x6_collect(case: Data, children: Iterable[Change]) -> list[dict[str, Any]]:
    """X6: what the accused handed in, after ``children`` were written."""
    came = {entry["rebuttal"]: entry for entry in case.get("rebuttals", ())}
    for child in children:
        if child.kind == "rebuttal":
            came[child.record] = {"rebuttal": child.record, "photos": child.after["photos"]}
    return [came[record] for record in sorted(came)]


def x6_arrived(case: Data, arrived: Mapping[str, int]) -> list[dict[str, Any]]:
    """X6: the rebuttals of the case, with how many of their photos have come and are verified."""
    return [
        {**entry, "arrived": arrived[entry["rebuttal"]]}
        if arrived.get(entry["rebuttal"])
        else {name: value for name, value in entry.items() if name != "arrived"}
        for entry in case.get("rebuttals", ())
    ]


def x6_is_rebutted(case: Data) -> bool:
    """X6: evidence has arrived; words do not count, nor what was announced and has not come."""
    return any(entry.get("arrived") for entry in case.get("rebuttals", ()))
