"""A plain reference of the protocol: what must stand in the end, from what arrived, in order.

Imports nothing of the server or the client. Where a sender cannot see a record any more, the
protocol leaves room; there the outcome that was given is taken, and its effect is predicted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulation.model_rules import (
    FINAL,
    GONE,
    LOST,
    REVIEWED,
    Edit,
    Mutation,
    Rec,
    Sender,
    brings,
    copied,
    derive,
    group_of,
    in_turn,
    is_same,
    last_foreign,
    merge_field,
)

NEVER = (0, None, 0, 0)
UNKNOWN = {"rule": "review", "owner": None}
"""How a field meets that no kind declares."""


@dataclass
class Model:
    """All records and mutations; ``kinds`` as the wire describes them."""

    kinds: dict[str, Any]
    observed: Callable[[str], str | None]
    """Mutation id → the outcome that was given, for what the protocol leaves open."""
    epochs: list[str]
    today: Callable[[Sender], Sender]
    """A sender with the rights of today."""
    records: dict[str, Rec] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, tuple[Mutation, Sender, list[str]]] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    places: dict[tuple[str, int], str] = field(default_factory=dict)
    stood: set[str] = field(default_factory=set)
    """Records that stood before the batch."""
    making: set[str] = field(default_factory=set)
    """Records that the batch makes, perhaps after a refusal before it."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Id that the server gave a conflict → how it is called here."""
    rules: set[str] = field(default_factory=set)
    """Merge rules that met, since somebody looked."""

    def snapshot(self) -> "Model":
        """A copy, for a backup."""
        return replace(
            self,
            epochs=list(self.epochs),
            records=copied(self.records),
            outcomes=dict(self.outcomes),
            waiting=dict(self.waiting),
            refused=dict(self.refused),
            places=dict(self.places),
            aliases=dict(self.aliases),
        )

    def begin_epoch(self, name: str) -> None:
        """Versions made before belong to earlier epochs (P1)."""
        self.epochs.append(name)

    def arrive(self, batch: list[Mutation], sender: Sender) -> None:
        """A batch in its order; then what waited for it."""
        self.making = {one["record"] for one in batch if one["action"] == "create"}
        self.stood = set(self.records)
        for mutation in batch:
            place = (mutation.get("device") or "", mutation.get("n") or 0)
            if self.outcomes.get(mutation["id"]) in FINAL:
                continue
            if place[1]:
                self.places.setdefault(place, mutation["id"])
            seen_in = {"epoch": self.epochs[-1]} | mutation
            self.waiting[mutation["id"]] = (seen_in, sender, [])
        done: set[str] = set()
        for mutation in batch:
            last = [one for one in batch if group_of(one) and group_of(one) == group_of(mutation)][
                -1:
            ]
            if mutation["id"] not in done and (not last or last[0] is mutation):
                done |= self._settle(mutation["id"])
        self.wake({name for mutation in batch for name in brings(mutation)})

    def wake(self, brought: set[str]) -> None:
        """Decides what waited for what was brought, as long as anything moves."""
        while len(brought) < len(brought := brought | self._chained(brought)):
            continue
        moved = True
        while moved:
            moved = False
            near = {name: one for name, one in self.waiting.items() if brought.issuperset({name})}
            line = [one for one in near.items() if any(map(self._here(one), one[1][2]))]
            for key, (mutation, _sender, awaited) in sorted(line, key=in_turn):
                if key in self.waiting and not self._is_out_of_sight(key, awaited):
                    self._renew(key)
                    self._settle(mutation["id"])
                    moved |= key not in self.waiting or self.waiting[key][2] != awaited

    def _chained(self, brought: set[str]) -> set[str]:
        """What waiting mutations bring that wait for something among ``brought``."""
        line = [one[0] for one in self.waiting.values() if brought & set(one[2])]
        return {name for mutation in line for name in brings(mutation)}

    def _is_out_of_sight(self, name: str, awaited: list[str]) -> bool:
        """Whether it waits for what stood before, so that only a change of sight could free it."""
        there = {one for one in awaited if one in self.records}
        return self.observed(name) == "waiting" and there <= self.stood

    def _renew(self, name: str) -> None:
        """What waited is decided with the rights of today."""
        mutation, sender, awaited = self.waiting[name]
        self.waiting[name] = (mutation, self.today(sender), awaited)

    def _here(self, one: tuple[str, tuple[Mutation, Sender, list[str]]]) -> Callable[[str], bool]:
        user = one[1][1].user
        return lambda name: (
            name in self.records or self.outcomes.get(name) in FINAL or (user, name) in self.refused
        )

    def _settle(self, name: str) -> set[str]:
        if name not in self.waiting:
            return {name}
        mutation, sender, _ = self.waiting[name]
        if not group_of(mutation):
            self._finish(name, *self._decide(mutation, sender))
            return {name}
        return self._settle_group(mutation)

    def _settle_group(self, mutation: Mutation) -> set[str]:
        """All of a group or nothing of it."""
        same = sorted(self._members(mutation), key=lambda one: int(one["n"]))
        names = {one["id"] for one in same}
        if len(same) < mutation["group"]["of"]:
            self._finish_all(same, "waiting", [f"group:{group_of(mutation)}"])
            return names
        before = copied(self.records), dict(self.outcomes), dict(self.refused)
        told = self._rehearse(same)
        awaited = {name for _, names_ in told for name in names_}
        if awaited or told[-1][0] == "rejected":
            self.records, self.outcomes, self.refused = before
        if told[-1][0] == "rejected":
            for one in same:
                self._park(one, self.waiting[one["id"]][1])
            self._finish_all(same, "rejected", [])
        elif awaited:
            inside = names | {one["record"] for one in same}
            self._finish_all(same, "waiting", sorted(awaited - inside) or sorted(awaited))
        else:
            for one, (outcome, _) in zip(same, told, strict=True):
                self._finish(one["id"], outcome, [])
        return names

    def _members(self, mutation: Mutation) -> list[Mutation]:
        """What is here of a group."""
        waiting = [entry[0] for entry in self.waiting.values()]
        device = mutation["device"]
        own = [one for one in waiting if one.get("device") == device]
        return [one for one in own if group_of(one) == group_of(mutation)]

    def _rehearse(self, same: list[Mutation]) -> list[tuple[str, list[str]]]:
        """What becomes of each, up to the first that is refused."""
        told = []
        for one in same:
            told.append(self._decide(one, self.waiting[one["id"]][1]))
            self.outcomes[one["id"]] = told[-1][0]
            if told[-1][0] == "rejected":
                break
        return told

    def _finish_all(self, same: list[Mutation], outcome: str, awaited: list[str]) -> None:
        for one in same:
            self._finish(one["id"], outcome, awaited)

    def _finish(self, name: str, outcome: str, awaited: list[str]) -> None:
        mutation, sender, _ = self.waiting.pop(name)
        self.outcomes[name] = outcome
        if outcome == "waiting":
            self.waiting[name] = (mutation, sender, awaited)

    def expire(self, name: str) -> None:
        """What waited as long as it may is refused."""
        mutation, sender, _ = self.waiting[name]
        self._park(mutation, sender)
        self._finish(name, "rejected", [])
        self.wake(brings(mutation))

    def _decide(self, m: Mutation, sender: Sender) -> tuple[str, list[str]]:
        said = self._outcome(m, sender)
        if said[0] == "rejected":
            self._park(m, sender)
        return said

    def _outcome(self, m: Mutation, sender: Sender) -> tuple[str, list[str]]:
        if sender.revoked:
            return "rejected", []
        if m.get("after") and self.outcomes.get(m["after"]) not in FINAL:
            return "waiting", [m["after"]]
        unseen = [one for one in self._kept(m) if not self._sees(sender, one)]
        if unseen and self.observed(m["id"]) in {None, "waiting"}:
            return "waiting", unseen
        return self._out_of_sight(m, sender) or self._act(m, sender)

    def _out_of_sight(self, m: Mutation, sender: Sender) -> tuple[str, list[str]] | None:
        """What is said of a record that the sender does not see; None where that is open."""
        if m["record"] not in self.records:
            return None if m["action"] == "create" else self._missing(m, sender, [m["record"]])
        given = self.observed(m["id"])
        if self._sees(sender, m["record"]) or given not in {None, "rejected", "waiting"}:
            return None
        return ("rejected", []) if given == "rejected" else ("waiting", [m["record"]])

    def _act(self, m: Mutation, sender: Sender) -> tuple[str, list[str]]:
        record = self.records.get(m["record"])
        given = self.observed(m["id"])
        if sender.writer == "office" and given in {"rejected", "waiting"}:
            return given, [m["record"]] if given == "waiting" else []
        if m["action"] == "withdraw":
            return self._withdraw(m, sender)
        if record is None:
            return self._create(m, sender)
        return self._patch({**m, "base": 0} if m["action"] == "create" else m, sender, record)

    def _kept(self, m: Mutation) -> list[str]:
        """The conflicts and the parked mutation that a mutation settles."""
        restores = m.get("restores") or {}
        named = [restores[name] for name in ("conflict", "parked") if name in restores]
        return [self.aliases.get(one, one) for one in (*m.get("resolves", ()), *named)]

    def _missing(self, m: Mutation, sender: Sender, names: list[str]) -> tuple[str, list[str]]:
        """P6: what hangs under a refused create is refused, unless that create comes again."""
        known = [one for one in names if one not in self.making]
        refused = any((sender.user, one) in self.refused for one in known)
        if refused and self.observed(m["id"]) != "waiting":
            return "rejected", []
        return "waiting", names

    def _sees(self, sender: Sender, name: str) -> bool:
        record = self.records.get(name)
        if record is None or sender.writer == "server" or record.scopes & sender.scopes:
            return record is not None
        return sender.writer == "office" and record.region in sender.manages

    def _unmet(self, m: Mutation, sender: Sender) -> tuple[str, list[str]] | None:
        """References that are not there for this sender."""
        kind = self.kinds[m["kind"]]
        named = [
            m["set"][one]
            for one, told in kind["fields"].items()
            if told["refers"] and m.get("set", {}).get(one)
        ]
        hidden = [one for one in named if not self._sees(sender, one)]
        given = self.observed(m["id"])
        if any(one in self.records for one in hidden) and given not in {None, "waiting"}:
            return ("rejected", []) if given == "rejected" else None
        return self._missing(m, sender, hidden) if hidden else None

    def _create(self, m: Mutation, sender: Sender) -> tuple[str, list[str]]:
        kind = self.kinds[m["kind"]]
        if (unmet := self._unmet(m, sender)) is not None:
            return unmet
        data = dict(m["set"])
        author, home = sender.user, sender.home
        for kept in self._kept(m):
            parked = self.records[kept]
            if parked.kind == "parked" and parked.data["record"] == m["record"]:
                author, home = parked.data["user"], parked.region
        parent = data.get(kind["parent"] or "")
        record = Rec(m["kind"], author, home, frozenset(), parent)
        if m["kind"] == "customer":
            data.setdefault("owner", author)
            if home:
                data.setdefault("region", home)
        allowed = sender.writer != "device" or sender.roles & set(kind["create_roles"])
        if not allowed or not self._may_place(record, data, sender):
            return "rejected", []
        self._write(m, sender, record, data)
        self._close(m, sender)
        return "applied", []

    def _may_place(self, record: Rec, data: dict[str, Any], sender: Sender) -> bool:
        """K1: a device places a customer only where its user has a role."""
        region = data.get("region")
        if record.kind != "customer" or sender.writer != "device" or region is None:
            return True
        return region == record.data.get("region") or region in {sender.home} | sender.regions

    def _patch(self, m: Mutation, sender: Sender, record: Rec) -> tuple[str, list[str]]:
        if (unmet := self._unmet(m, sender)) is not None:
            return unmet
        base, device = self._base(m, record), self._device(m, sender)
        side = "device" if sender.writer == "device" else "office"
        edit = Edit(base, device, m.get("n") or 0, side)
        values = {**m.get("set", {}), **dict.fromkeys(m.get("unset", ()), GONE)}
        taken, lost = {}, {}
        for name, value in values.items():
            rule, kept = merge_field(
                self.kinds[m["kind"]]["fields"].get(name, UNKNOWN),
                record.data.get(name, GONE),
                record.stamps.get(name, NEVER),
                value,
                edit,
            )
            self.rules |= {rule} - {""}
            if kept is LOST:
                lost[name] = value
            elif kept is not None:
                taken[name] = kept[0]
        foreign = [one for one in record.stamps.values() if last_foreign(one, device) > base]
        if record.withdrawn or (m.get("strict") and foreign):
            differ = {k: v for k, v in values.items() if not is_same(record.data.get(k, GONE), v)}
            taken, lost = {}, differ
        data = {**record.data, **taken}
        data = {name: value for name, value in data.items() if value is not GONE}
        if not self._may_place(record, data, sender):
            return "rejected", []
        self._write(m, sender, record, data)
        if lost:
            self._keep(m, sender, record, lost)
            return "conflict", []
        self._close(m, sender)
        return ("merged" if foreign else "applied"), []

    def _withdraw(self, m: Mutation, sender: Sender) -> tuple[str, list[str]]:
        record = self.records[m["record"]]
        base, device = self._base(m, record), self._device(m, sender)
        foreign = any(last_foreign(one, device) > base for one in record.stamps.values())
        if not record.withdrawn and foreign:
            self.rules.add("withdraw")
            self._keep(m, sender, record, {"withdrawn": True})
            return "conflict", []
        if not record.withdrawn:
            record.withdrawn = True
            self._count(record)
        self._close(m, sender)
        return ("merged" if foreign else "applied"), []

    def _base(self, m: Mutation, record: Rec) -> int:
        """P1: a base of an earlier epoch counts at most as what stood when the next one began."""
        base: int = min(m.get("base") or 0, record.version)
        name = m.get("epoch") or self.epochs[-1]
        if name == self.epochs[-1]:
            return base
        if name not in self.epochs:
            return 0
        number = self.epochs.index(name)
        return min(base, max([v for e, v in record.by_epoch.items() if e <= number], default=0))

    def _device(self, m: Mutation, sender: Sender) -> str | None:
        if sender.writer != "device":
            return None
        forked = self.places.get((m["device"], m["n"])) != m["id"]
        return f"{m['device']}~fork" if forked else str(m["device"])

    def _count(self, record: Rec) -> None:
        record.version += 1
        record.by_epoch[len(self.epochs) - 1] = record.version

    def _write(self, m: Mutation, sender: Sender, record: Rec, data: dict[str, Any]) -> None:
        is_new = m["record"] not in self.records
        data = {**data, **self._derived(record, data, sender, is_new=is_new)}
        names = sorted({*record.data, *data})
        changed = [n for n in names if not is_same(record.data.get(n, GONE), data.get(n, GONE))]
        if not changed and not is_new:
            return
        self._count(record)
        device = self._device(m, sender)
        for name in changed:
            old = record.stamps.get(name, NEVER)
            record.stamps[name] = (
                record.version,
                device,
                m.get("n") or 0,
                last_foreign(old, device),
            )
        record.data = data
        self.records[m["record"]] = record
        self._place_all()
        above = self.records.get(record.parent or "")
        if is_new and sender.device and above is not None and above.kind in REVIEWED:
            self._hand_in_again(above)

    def _hand_in_again(self, above: Rec) -> None:
        """B1: what is added to a record that was returned hands it in again."""
        if above.data.get("state") == "returned":
            above.data = {**above.data, "state": "submitted"}
            self._count(above)
            old = above.stamps.get("state", NEVER)
            above.stamps["state"] = (above.version, None, 0, old[0])

    def _derived(
        self, record: Rec, data: dict[str, Any], sender: Sender, *, is_new: bool
    ) -> dict[str, Any]:
        above, remarks = self.records.get(record.parent or ""), set()
        if above is not None and above.withdrawn:
            remarks.add("parent_withdrawn")
        if above is not None and is_new and not self._sees(sender, record.parent or ""):
            remarks.add("moved")
        return derive(record, data, sender, is_new=is_new, remarks=remarks)

    def _place_all(self) -> None:
        """K1: a customer lies with its owner and its region; what is beneath goes with it."""
        for name in self.records:
            record = self.records[name]
            top = record
            while top.parent in self.records:
                top = self.records[str(top.parent)]
            if top.kind == "customer":
                region = top.data.get("region", top.region)
                owner = top.data.get("owner", top.creator)
            else:
                region, owner = top.region, top.creator
            scopes = {f"user:{owner}"} | ({f"region:{region}"} if region else set())
            if record.kind == "parked":
                scopes = (scopes if record.parent else set(record.scopes)) | {
                    f"user:{record.data['user']}" for _ in [0] if not record.data["revoked"]
                }
            record.scopes, record.region = frozenset(scopes), region

    def _keep(self, m: Mutation, sender: Sender, record: Rec, lost: dict[str, Any]) -> None:
        """P6: what lost is kept in a conflict beside the record."""
        said = {name: value for name, value in lost.items() if value is not GONE}
        data = {"record": m["record"], "lost": said, "fields": sorted(lost), "state": "open"}
        made = Rec("conflict", sender.user, record.region, record.scopes, m["record"], data)
        made.version = 1
        self.records[f"conflict of {m['id']}"] = made

    def _park(self, m: Mutation, sender: Sender) -> None:
        """P6: what was refused is kept."""
        target = self.records.get(m["record"])
        scopes = set() if sender.revoked else {f"user:{sender.user}"}
        scopes |= target.scopes if target else {f"region:{sender.home}"}
        region = target.region if target else sender.home
        data = {
            "record": m["record"],
            "user": sender.user,
            "set": m.get("set", {}),
            "state": "open",
        }
        data["revoked"] = sender.revoked
        parent = m["record"] if target else None
        made = Rec("parked", sender.user, region, frozenset(scopes), parent, data)
        made.version = 1
        self.records[m["id"]] = made
        if m["action"] == "create":
            self.refused[sender.user, m["record"]] = m["id"]
            self.making.discard(m["record"])

    def _close(self, m: Mutation, sender: Sender) -> None:
        for name in self._kept(m):
            record = self.records.get(name)
            if record is None or record.data.get("record") != m["record"]:
                continue
            if record.data["state"] == "open":
                state = "resolved" if record.kind == "conflict" else "restored"
                record.data = {**record.data, "state": state}
                record.version += 1
