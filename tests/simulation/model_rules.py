"""How one change meets what stands: the merge rules and what follows from a change. Pure.

Imports nothing of the server or the client.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.simulation.model_state import Rec, Stamp

GONE = object()
LOST = object()
REVIEWED = {"visit", "visit_report", "receipt"}
DECIDED = {"accepted", "rejected"}


@dataclass(frozen=True)
class Edit:
    """What a mutation is measured by, whatever its fields."""

    base: int
    device: str | None
    n: int
    side: str


def merge_field(
    told: dict[str, Any], stands: Any, stamp: Stamp, value: Any, edit: Edit
) -> tuple[str, Any]:
    """The rule that was met, and ``[value]`` to write, None where what stands stays, or LOST."""
    own = edit.device is not None and stamp[1] == edit.device and stamp[3] <= edit.base
    if is_same(stands, value):
        return ("equal" if stamp[0] > edit.base else ""), None
    if told["rule"] == "frozen" and stands is not GONE:
        return "frozen", LOST
    if stamp[0] <= edit.base:
        return "", [value]
    if own:
        newer = stamp[2] < edit.n
        return ("own_edit", [value]) if newer else ("superseded", None)
    return told["rule"], _meet(told, stands, stamp, value, edit)


def _meet(told: dict[str, Any], stands: Any, stamp: Stamp, value: Any, edit: Edit) -> Any:
    if value is GONE:
        return LOST
    if told["rule"] == "union" and isinstance(stands, list):
        added = [one for one in value if one not in stands]
        return [stands + added] if added else None
    other = "device" if stamp[1] is not None else "office"
    won = told["rule"] == "authority" and told["owner"] == edit.side and other != edit.side
    return [value] if won else LOST


def next_state(before: dict[str, Any], after: dict[str, Any], *, is_new: bool, edited: bool) -> str:
    """B2: what follows from a decision, its undo, or an edit after it."""
    if is_new:
        return "submitted"
    if any(after.get(name) != before.get(name) for name in ("verdict", "decided_at")):
        was, stands = before.get("decided_at"), after.get("decided_at")
        undone = stands is None or (was is not None and stands < was)
        return "submitted" if undone else str(after.get("verdict", "submitted"))
    state = str(before.get("state", "submitted"))
    return "submitted" if edited and state in {"returned", "accepted"} else state


def last_foreign(stamp: Stamp, device: str | None) -> int:
    return stamp[3] if device is not None and stamp[1] == device else stamp[0]


def is_same(one: Any, other: Any) -> bool:
    if one is GONE or other is GONE:
        return one is other
    if type(one) is type(other) is str:
        return bool(one == other)
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def derive(
    record: Rec, data: dict[str, Any], *, is_new: bool, by_device: bool, remarks: set[str]
) -> dict[str, Any]:
    """The fields that the server sets (B1, B2, X2)."""
    before, flags = record.data, {*data.get("flags", ()), *remarks}
    derived: dict[str, Any] = {}
    if record.kind in REVIEWED:
        edited = not is_new and before != data and by_device
        if edited and before.get("state") in DECIDED:
            flags.add("changed_after_decision")
        derived["state"] = next_state(before, data, is_new=is_new, edited=edited)
        derived["sender"] = record.creator if is_new else data.get("sender")
    if record.kind in {"photo", "signature"} and is_new:
        derived["state"] = "declared"
    if record.kind == "photo" and data.get("source") == "gallery":
        flags.add("gallery")
    if flags or record.kind in REVIEWED | {"photo", "signature"}:
        derived["flags"] = sorted(flags)
    return derived
