"""The reference's word on one mutation: what becomes of it, and what it writes. Pure.

Imports nothing of the server or the client.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.simulation.model_kept import (
    claim,
    close,
    keep,
    kept_by,
    match,
    place,
    restored_by,
    restored_values,
)
from tests.simulation.model_rules import (
    GONE,
    LOST,
    REVIEWED,
    Edit,
    derive,
    is_same,
    last_foreign,
    merge_field,
)
from tests.simulation.model_state import NEVER, Mutation, Rec, Said, Sender, State

UNKNOWN = {"rule": "review", "owner": None}
"""How a field meets that no kind declares."""
MANAGERS = {"region_manager", "sales_manager"}
"""Parts in which only whoever has that role should sign."""
APPLIED, MERGED, CONFLICT = Said("applied"), Said("merged"), Said("conflict")


def refused(code: str) -> Said:
    """Refused for that reason."""
    return Said("rejected", code)


def decide(state: State, m: Mutation, sender: Sender, met: set[str]) -> Said:
    """What becomes of ``m``; what it writes is written. ``met``: merge rules that applied."""
    if sender.writer == "device" and m["device"] not in sender.devices:
        return refused("validation")  # P6: what it seals would pass for somebody else's
    if sender.revoked:
        return refused("device_revoked")
    if m.get("after") and not state.is_final(m["after"]):
        return Said("waiting", awaited=(m["after"],))
    unseen = [one for one in kept_by(state, m) if not state.sees(sender, one)]
    if unseen:
        return Said("waiting", awaited=tuple(unseen))
    there = state.sees(sender, m["record"])
    there = there or (m["record"] in state.records and state.is_open(sender, m))
    if m["action"] == "create" and not there:
        return refused("id_taken") if m["record"] in state.records else _create(state, m, sender)
    if not there:
        return _missing(state, sender, [m["record"]])
    if m["action"] == "withdraw":
        return _withdraw(state, m, sender, met)
    return _patch(state, {**m, "base": 0} if m["action"] == "create" else m, sender, met)


def adopt(state: State, m: Mutation, sender: Sender) -> Said:
    """What the store says; what lost is kept beside the record, and what was settled is closed."""
    said, record = state.adopt(m)
    if said.outcome == "waiting":
        return replace(said, awaited=(m["record"],))
    if said.outcome == "rejected" or record is None:
        return said
    there = state.records.setdefault(m["record"], replace(record, made_at=state.now))
    there.withdrawn = there.withdrawn or (m["action"] == "withdraw" and said != CONFLICT)
    if said == CONFLICT:
        keep(state, m, sender, {})
        state.records[f"conflict of {m['id']}"].adopted = True
    else:
        close(state, m, sender)
    return said


def _missing(state: State, sender: Sender, names: Sequence[str]) -> Said:
    """P6: what hangs under a refused create is refused, unless that create comes again."""
    if state.moved.intersection(names):
        return refused("moved")
    for name in names:
        gone = name not in state.records and (sender.user, name) not in state.making
        if gone and (sender.user, name) in state.refused:
            return refused("depends_on_rejected")
    return Said("waiting", awaited=tuple(names))


def _refuse(state: State, m: Mutation, sender: Sender) -> Said | None:
    """Whose fields they are, and whether what they refer to is there for this sender."""
    kind, values = state.kinds[m["kind"]], m.get("set", {})
    back = restored_values(restored_by(state, m, sender))
    for name in {*values, *m.get("unset", ())} & kind["fields"].keys():
        owned = sender.writer == "server" or sender.writer in kind["fields"][name]["writers"]
        if not owned and not (name in back and is_same(values.get(name, GONE), back[name])):
            return refused("field_owner")
    hidden = []
    for name, told in kind["fields"].items():
        target = values.get(name) if told["refers"] else None
        under = m["action"] == "create" and name == kind["parent"] and target in state.moved
        if target and not under and not state.sees(sender, target):
            hidden.append(target)
    return _missing(state, sender, hidden) if hidden else None


def _create(state: State, m: Mutation, sender: Sender) -> Said:
    kind, data = state.kinds[m["kind"]], dict(m["set"])
    if sender.writer == "device" and not sender.roles & set(kind["create_roles"]):
        return refused("forbidden")
    if (refusal := _refuse(state, m, sender)) is not None:
        return refusal
    author, home = sender.user, sender.home
    kept = restored_by(state, m, sender)
    if kept is not None and kept.kind == "parked":
        author, home = kept.data["user"], kept.region
    record = Rec(m["kind"], author, home, frozenset(), data.get(kind["parent"] or ""))
    record.made_at = state.now
    if m["kind"] == "customer":
        data.setdefault("owner", author)
        if home:
            data.setdefault("region", home)
    if not _may_place(record, data, sender):
        return refused("validation")
    _write(state, m, sender, record, data)
    close(state, m, sender)
    return APPLIED


def _may_place(record: Rec, data: dict[str, Any], sender: Sender) -> bool:
    """K1: a device places a customer only where its user has a role."""
    region = data.get("region")
    if record.kind != "customer" or sender.writer != "device" or region is None:
        return True
    return region == record.data.get("region") or region in {sender.home} | sender.regions


def _patch(state: State, m: Mutation, sender: Sender, met: set[str]) -> Said:
    if (refusal := _refuse(state, m, sender)) is not None:
        return refusal
    record = state.records[m["record"]]
    taken, lost = _merge(state, m, sender, met)
    foreign = _foreign(state, m, sender)
    data = {**record.data, **taken}
    data = {name: value for name, value in data.items() if value is not GONE}
    if not _may_place(record, data, sender):
        return refused("validation")
    _write(state, m, sender, record, data)
    if lost:
        keep(state, m, sender, lost)
        return CONFLICT
    close(state, m, sender)
    return MERGED if foreign else APPLIED


def _merge(
    state: State, m: Mutation, sender: Sender, met: set[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that are taken, and those that lose."""
    record, fields = state.records[m["record"]], state.kinds[m["kind"]]["fields"]
    values = {**m.get("set", {}), **dict.fromkeys(m.get("unset", ()), GONE)}
    if record.withdrawn or (m.get("strict") and _foreign(state, m, sender)):
        return {}, {k: v for k, v in values.items() if not is_same(record.data.get(k, GONE), v)}
    side = "device" if sender.writer == "device" else "office"
    device = state.device_of(m, sender)
    edit = Edit(state.base_of(m, record), device, m.get("n") or 0, side)
    taken, lost = {}, {}
    for name, value in values.items():
        stands, stamp = record.data.get(name, GONE), record.stamps.get(name, NEVER)
        rule, kept = merge_field(fields.get(name, UNKNOWN), stands, stamp, value, edit)
        met |= {rule} - {""}
        if kept is LOST:
            lost[name] = value
        elif kept is not None:
            taken[name] = kept[0]
    return taken, lost


def _foreign(state: State, m: Mutation, sender: Sender) -> bool:
    """Whether anybody else changed the record since the base."""
    record, device = state.records[m["record"]], state.device_of(m, sender)
    base = state.base_of(m, record)
    return any(last_foreign(one, device) > base for one in record.stamps.values())


def _withdraw(state: State, m: Mutation, sender: Sender, met: set[str]) -> Said:
    record, foreign = state.records[m["record"]], _foreign(state, m, sender)
    if not record.withdrawn and foreign:
        met.add("withdraw")
        keep(state, m, sender, {"withdrawn": True})
        return CONFLICT
    if not record.withdrawn:
        record.withdrawn = True
        state.count(record)
    close(state, m, sender)
    return MERGED if foreign else APPLIED


def _write(state: State, m: Mutation, sender: Sender, record: Rec, data: dict[str, Any]) -> None:
    is_new = m["record"] not in state.records
    twins = claim(state, m["record"], record, data)
    remarks = _remarks(state, record, is_new=is_new) | ({"claim_duplicate"} if twins else set())
    if is_new and data.get("part") in MANAGERS and data["part"] not in sender.roles:
        remarks.add("not_the_role")  # X3
    by_device = sender.writer == "device"
    data |= derive(record, data, is_new=is_new, by_device=by_device, remarks=remarks)
    names = sorted({*record.data, *data})
    changed = [n for n in names if not is_same(record.data.get(n, GONE), data.get(n, GONE))]
    if not changed and not is_new:
        return
    state.count(record)
    device, number = state.device_of(m, sender), m.get("n") or 0
    for name in changed:
        other = last_foreign(record.stamps.get(name, NEVER), device)
        record.stamps[name] = (record.version, device, number, other)
    record.data = data
    state.records[m["record"]] = record
    place(state, record)
    if sender.writer == "device" and not state.sees(sender, m["record"]):
        state.moved |= {m["record"]}
        state.open |= {m["record"]}
    for twin in twins:
        match(state, m["record"], twin)
    above = state.records.get(record.parent or "")
    if is_new and sender.writer == "device" and above is not None and above.kind in REVIEWED:
        _hand_in_again(state, above)


def _hand_in_again(state: State, above: Rec) -> None:
    """B1: what is added to a record that was returned hands it in again."""
    if above.data.get("state") == "returned" and not above.withdrawn:
        above.data = {**above.data, "state": "submitted"}
        state.count(above, ["state"])


def _remarks(state: State, record: Rec, *, is_new: bool) -> set[str]:
    above, remarks = state.records.get(record.parent or ""), set()
    if above is not None and above.withdrawn:
        remarks.add("parent_withdrawn")
    if above is not None and is_new and record.parent in state.moved:
        remarks.add("moved")
    return remarks
