"""What follows from a fault, a return and an incident. Pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from server.casework.deadlines import FieldTerm, Moment, judge_field_term
from server.casework.machine import Condition
from server.casework.terms import length_of
from server.clock import from_wire
from server.domain.faults.machines import REPORTED, RETURNED
from server.domain.review.rules import is_edited, is_undone
from server.policy import Policy, Term
from server.sync.kinds import Author, Change, Data, FieldErrors, Placement
from server.values import replace

AMOUNTS = ("received", "exchanged", "issued", "sent_back", "scrapped")
OFFSET_ERROR = timedelta(seconds=5)
"""How far off the measured offset of a device's clock may be: a slow request, there and back."""


def f3_place(_incident: Data, by: Author) -> Placement:
    """F3: an incident belongs to its sender and to the sender's home region."""
    home = {f"region:{by.home_region}"} if by.home_region else set()
    return Placement(scopes=frozenset({f"user:{by.user}", *home}), region=by.home_region)


def handed_in(change: Change) -> Mapping[str, Condition]:
    """When what was sent back goes on: its sender changed it."""
    mended = (change.before or {}).get("state") == RETURNED and is_edited(change)
    return {"handed_in": lambda _data: mended, "photographed": lambda _data: False}


def brought(children: Collection[Change]) -> Mapping[str, Condition]:
    """When a record goes on by what is written beneath it: evidence of its sender hands in again
    what was sent back; F6: a photo of the dealer that has arrived stands for the manager's look on
    site."""
    mended = any(child.by.device for child in children if child.before is None)
    shown = any(map(_shows, children))
    return {"handed_in": lambda _data: mended, "photographed": lambda _data: shown}


def _shows(child: Change) -> bool:
    """F6: whether this is the first photo of what a dealer handed in that is verified."""
    told = child.kind == "fault_supplement" and child.after.get("arrived", False)
    return told and "arrived" not in (child.before or {}) and child.after["verified"] > 0


def f5_amounts(goods_return: Data) -> dict[str, int]:
    """F5: every amount that a return names; what it does not name is none."""
    return {name: goods_return.get(name, 0) for name in AMOUNTS}


def f5_disposed(fault: Data, children: Iterable[Change]) -> list[Data]:
    """F5: what the standing returns of a fault say, after ``children`` were written."""
    standing = {entry["record"]: entry for entry in fault.get("disposed", ())}
    for child in children:
        if child.kind != "faulty_goods_return":
            continue
        standing.pop(child.record, None)
        if not child.withdrawn and child.after.get("state") not in {"refused", "withdrawn"}:
            standing[child.record] = {"record": child.record, **f5_amounts(child.after)}
    return [standing[record] for record in sorted(standing)]


def f5_totals(disposed: Iterable[Data]) -> dict[str, int]:
    """F5: each amount summed over the returns of a fault."""
    listed = list(disposed)
    return {name: sum(entry[name] for entry in listed) for name in AMOUNTS}


def f5_exceeded(fault: Data, disposed: Iterable[Data]) -> FieldErrors:
    """F5: no amount, summed over all returns, may exceed what was reported."""
    reported = int(fault["quantity"])
    totals = f5_totals(disposed)
    return {name: f"too_big:{reported}" for name, total in totals.items() if total > reported}


def f5_check_return(change: Change, fault: Data | None) -> FieldErrors:
    """F5: a return that would exceed its fault is refused; the fault is locked, so that of two
    devices which report at once the second is held against the first."""
    if fault is None:
        return {}
    if is_undone(change):  # what was refused gave its room away, and asks for it again
        change = replace(change, after={**change.after, "state": REPORTED})
    wrong = f5_exceeded(fault, f5_disposed(fault, [change]))
    named = {name for name, amount in f5_amounts(change.after).items() if amount}
    return {name: code for name, code in wrong.items() if name in named}


def f5_check_fault(change: Change) -> FieldErrors:
    """F5: what was reported is not lowered below what was taken back."""
    fault = change.after
    if "quantity" not in fault or not f5_exceeded(fault, fault.get("disposed", ())):
        return {}
    least = max(f5_totals(fault["disposed"]).values())
    return {"quantity": f"too_small:{least}"}


def f3_term(incident: Data, policy: Policy) -> Term | None:
    """F3: how long the report of an incident may take; None of one that is not urgent."""
    terms = policy.terms
    by_type = {
        "complaint_met": terms.f3_complaint,
        "inspection": terms.f3_inspection,
        "press": terms.f3_press,
    }
    return by_type.get(str(incident.get("type")))


def f3_flags(change: Change, policy: Policy) -> set[str]:
    """F3, X8: a report that was made late, or made in time and arrived late; told apart."""
    term = f3_term(change.after, policy)
    if term is None or change.before is not None or change.arrived_at is None:
        return set()
    offset, wall = change.captured.get("offset_ms"), change.captured.get("wall")
    arrived = from_wire(change.arrived_at)
    length = length_of(term)
    if not isinstance(offset, int) or not isinstance(wall, str):
        return {"time_uncertain"}
    try:
        begun, made = _moment(change.after["happened_at"], offset), _moment(wall, offset)
        found = judge_field_term(FieldTerm(began=begun, made=made, arrived_at=arrived, term=length))
    except (OverflowError, ValueError):  # P9: no clock is so wrong that a report is not taken
        return {"time_uncertain"}
    return (
        set() if found == "made_in_time" else {"time_uncertain" if found == "uncertain" else found}
    )


def _moment(said: str, offset_ms: int) -> Moment:
    """What the device's clock said, in the server's time."""
    at = from_wire(said) + timedelta(milliseconds=offset_ms)
    return Moment(low=at - OFFSET_ERROR, high=at + OFFSET_ERROR)
