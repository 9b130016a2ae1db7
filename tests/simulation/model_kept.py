"""Where records lie, and what is kept of that which did not win. Pure.

Imports nothing of the server or the client.
"""

from typing import Any

from tests.simulation.model_rules import GONE
from tests.simulation.model_state import Mutation, Rec, Sender, State


def kept_by(state: State, m: Mutation) -> list[str]:
    """The conflicts and the parked mutation that a mutation settles."""
    restores = m.get("restores") or {}
    named = [restores[name] for name in ("conflict", "parked") if name in restores]
    return [state.aliases.get(one, one) for one in (*m.get("resolves", ()), *named)]


def restored_by(state: State, m: Mutation, sender: Sender) -> Rec | None:
    """What was kept of this record and is brought back."""
    restores = m.get("restores") or {}
    for name in ("conflict", "parked"):
        kept = str(restores.get(name))
        kept = state.aliases.get(kept, kept)
        if state.sees(sender, kept):
            record = state.records[kept]
            return record if record.data.get("record") == m["record"] else None
    return None


def restored_values(record: Rec | None) -> dict[str, Any]:
    """What somebody typed once who could write it."""
    if record is None:
        return {}
    if record.kind == "conflict":
        return {name: record.data["lost"].get(name, GONE) for name in record.data["fields"]}
    return {**dict.fromkeys(record.data["unset"], GONE), **record.data["set"]}


def keep(state: State, m: Mutation, sender: Sender, lost: dict[str, Any]) -> None:
    """P6: what lost is kept in a conflict beside the record."""
    record = state.records[m["record"]]
    said = {name: value for name, value in lost.items() if value is not GONE}
    data = {"record": m["record"], "lost": said, "fields": sorted(lost), "state": "open"}
    made = Rec("conflict", sender.user, record.region, record.scopes, m["record"], data)
    _make(state, f"conflict of {m['id']}", made)


def _make(state: State, name: str, made: Rec) -> None:
    made.made_at = state.now
    state.count(made, made.data)
    state.records[name] = made


def park(state: State, m: Mutation, sender: Sender) -> None:
    """P6: what was refused is kept."""
    target = state.records.get(m["record"])
    scopes = {f"user:{sender.user}"} | (target.scopes if target else {f"region:{sender.home}"})
    data = {
        "record": m["record"],
        "user": sender.user,
        "set": m.get("set", {}),
        "unset": list(m.get("unset", ())),
        "state": "open",
    }
    region, parent = (target.region, m["record"]) if target else (sender.home, None)
    made = Rec("parked", sender.user, region, frozenset(scopes), parent, data)
    _make(state, m["id"], made)
    if m["action"] == "create":
        state.refused[sender.user, m["record"]] = m["id"]
        state.making.discard((sender.user, m["record"]))


def claim(state: State, name: str, record: Rec, data: dict[str, Any]) -> list[str]:
    """K2: the first record to name a key holds it while it lives; those that do, for ``data``."""
    before, after = keys_of(state, record.kind, record.data), keys_of(state, record.kind, data)
    for key in before - after:
        if state.claims.get(key) == name:
            del state.claims[key]
    twins = []
    for key in sorted(after - before):
        holder = state.claims.get(key, name)
        if holder != name and not state.records[holder].withdrawn:
            twins.append(holder)
        else:
            state.claims[key] = name
    return list(dict.fromkeys(twins))


def keys_of(state: State, kind: str, data: dict[str, Any]) -> set[tuple[str, ...]]:
    """The claim keys of a record, as far as their fields are filled in."""
    keys = set()
    for names in state.kinds[kind]["claim_keys"]:
        parts = ["".join(filter(str.isalnum, str(data.get(one) or "").lower())) for one in names]
        if all(parts):
            keys.add((kind, *names, *parts))
    return keys


def match(state: State, name: str, twin: str) -> None:
    """K2: two records that name one key are shown to those who manage their regions."""
    both = [state.records[one].region for one in (name, twin)]
    data = {"record": name, "earlier": twin, "state": "open"}
    scopes = frozenset(f"region:{one}" for one in both if one)
    made = Rec("claim_match", "", both[1] or both[0], scopes, None, data)
    known = [one.data for one in state.records.values() if one.kind == "claim_match"]
    number = sum((one["record"], one["earlier"]) == (name, twin) for one in known)
    _make(state, f"match {number} of {name} and {twin}", made)


def close(state: State, m: Mutation, sender: Sender) -> None:
    """What was settled is open no longer."""
    for name in kept_by(state, m):
        record = state.records.get(name)
        if record is None or not state.sees(sender, name):
            continue
        if record.data.get("record") == m["record"] and record.data["state"] == "open":
            settled = "resolved" if record.kind == "conflict" else "restored"
            record.data = {**record.data, "state": settled}
            state.count(record, ["state"])


def place(state: State, record: Rec) -> None:
    """K1: a customer lies with its owner and its region, what is new lies with what is above it."""
    above = state.records.get(record.parent or "")
    if above is not None:
        if record.version == 1:
            record.scopes, record.region = above.scopes, above.region
        return
    region, owner = record.region, record.creator
    if record.kind == "customer":
        region, owner = record.data.get("region", region), record.data.get("owner", owner)
    record.scopes = frozenset({f"user:{owner}"} | ({f"region:{region}"} if region else set()))
    record.region = region


def place_all(state: State) -> None:
    """P5: at the end of a batch what is beneath a record lies where that lies."""
    for record in state.records.values():
        top = record
        while top.parent in state.records:
            top = state.records[str(top.parent)]
        if top is record:
            continue
        record.scopes, record.region = top.scopes, top.region
        if record.kind == "parked":
            record.scopes |= {f"user:{record.data['user']}"}
