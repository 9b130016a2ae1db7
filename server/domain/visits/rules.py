"""What follows from a visit. Pure."""

from typing import Any

from server.clock import from_wire
from server.domain.positions import distance_m, position_flags
from server.domain.review.rules import b2_reasoned, derive_review
from server.policy import Visits
from server.sync.kinds import Change, Data, FieldErrors


def v3_in_order(visit: Data) -> FieldErrors:
    """V3: nobody leaves before arriving."""
    arrived, left = visit.get("check_in"), visit.get("check_out")
    if not arrived or not left or from_wire(left["at"]) >= from_wire(arrived["at"]):
        return {}
    return {"check_out": "order:check_in"}


def v3_distance(visit: Data, customer: Data | None) -> int | None:
    """V3: whole metres from the check-in to the customer's known position, where both are known."""
    here = visit.get("check_in", {}).get("position")
    there = (customer or {}).get("position")
    return round(distance_m(here, there)) if here and there else None


def v3_flags(visit: Data, away_m: int | None, limits: Visits) -> set[str]:
    """V3: far, old or mocked positions are flagged, never refused."""
    found = {"far"} if away_m is not None and away_m > limits.radius_m else set()
    for presence in ("check_in", "check_out"):
        position = visit.get(presence, {}).get("position")
        found |= position_flags(position, limits.position_age_minutes * 60)
    return found


def v9_score(checklist: dict[str, Any] | None) -> int | None:
    """V9: passed points of those that apply, in per cent; None where none applies."""
    answers = [entry["answer"] for entry in (checklist or {}).get("answers", ())]
    asked = [answer for answer in answers if answer != "na"]
    return round(100 * asked.count("pass") / len(asked)) if asked else None


def derive_visit(change: Change, customer: Data | None, limits: Visits) -> Data:
    """The server's fields of a visit."""
    visit = change.after
    measured = visit.get("check_in") != (change.before or {}).get("check_in")
    away_m = v3_distance(visit, customer) if measured else visit.get("distance_m")
    numbers = {"distance_m": away_m, "checklist_score": v9_score(visit.get("checklist"))}
    return {
        **derive_review(change, v3_flags(visit, away_m, limits)),
        **{name: value for name, value in numbers.items() if value is not None},
    }


def check_visit(change: Change, _customer: Data | None) -> FieldErrors:
    """What a visit may not be."""
    return {**v3_in_order(change.after), **b2_reasoned(change)}
