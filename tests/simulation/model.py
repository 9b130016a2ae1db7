"""A plain reference of the protocol: what must stand in the end, from what arrived, in order.

Imports nothing of the server or the client. Here is the order in which things are decided: groups,
what waits, what was put back. ``model_decide`` has the word on each mutation.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.model_decide import adopt, decide, refused
from tests.simulation.model_kept import park, place_all
from tests.simulation.model_state import ADOPTED, Mutation, Said, Sender, State, Told

Looker = tuple[str, str | None, str]
"""User, device and kind of writer."""


class Model:
    """All that arrived and what became of it."""

    def __init__(self, state: State, today: Callable[[Mutation, Sender], Sender]) -> None:
        self.state = state
        self.today = today
        """The sender of a mutation that waited, with the rights of today."""
        self.waiting: dict[str, tuple[Mutation, Sender]] = {}
        self.late: frozenset[str] = frozenset()
        """Mutations of the batch that have waited as long as they may."""
        self.informed: frozenset[str] = frozenset()
        """Mutations of a journal that had seen all that there was: so they have again (P1)."""
        self.looker: Looker | None = None
        """Whose batch it is: in whose eyes records moved away."""
        self.batch: frozenset[str] = frozenset()
        """Its mutations, also those that its sender sealed on another device."""
        self.met: set[str] = set()
        """Merge rules that applied, since somebody looked."""

    def snapshot(self) -> "Model":
        """A copy, for a backup."""
        twin = Model(self.state.copy(), self.today)
        twin.waiting = dict(self.waiting)
        return twin

    def begin_epoch(self, name: str) -> None:
        """Versions made before belong to earlier epochs (P1)."""
        self.state.epochs.append(name)

    def arrive(
        self,
        batch: Sequence[Mutation],
        sender: Sender,
        *,
        now: str,
        told: Told | None = None,
        late: frozenset[str] = frozenset(),
        informed: frozenset[str] = frozenset(),
    ) -> None:
        """A batch in its order; then what waited for it."""
        state, self.late, self.informed = self.state, late, informed
        state.now = now
        state.look_around(sender, told)
        self.looker = (sender.user, told.device if told else None, sender.writer)
        self.batch = frozenset(one["id"] for one in batch)
        news = [one for one in batch if not state.is_final(one["id"])]
        state.making = {(sender.user, m["record"]) for m in news if m["action"] == "create"}
        for one in news:
            if one.get("n"):
                state.places.setdefault((one["device"], one["n"]), one["id"])
            self.waiting[one["id"]] = ({"epoch": state.epochs[-1]} | one, sender)
        last = {_group_of(one): one["id"] for one in batch if _group_of(one)}
        for one in batch:
            if one["id"] in self.waiting and last.get(_group_of(one), one["id"]) == one["id"]:
                self._settle(one)
        self._wake({name for one in batch for name in _brings(one)})
        place_all(self.state)
        for name, record in self.state.records.items():
            if name not in self.state.aged:
                record.ever = {**record.ever, **dict.fromkeys(record.scopes, now)}

    def _wake(self, brought: set[str]) -> None:
        """Decides what waited for what was brought, as long as anything moves."""
        while len(brought) < len(brought := brought | self._chained(brought)):
            continue
        for name in brought & self.waiting.keys():
            mutation, sender = self.waiting[name]
            self.waiting[name] = (mutation, self.today(mutation, sender))
        moved = True
        while moved:
            line = [one for one in self.waiting.items() if one[0] in brought and self._may_go(one)]
            before = {name: self.state.outcomes.get(name) for name, _ in line}
            for name, (mutation, _sender) in sorted(line, key=_in_turn):
                if name in self.waiting:
                    self._settle(mutation)
            moved = any(self.state.outcomes.get(name) != said for name, said in before.items())

    def _chained(self, brought: set[str]) -> set[str]:
        """What waiting mutations bring that wait for something among ``brought``."""
        waits = ((one, self.state.outcomes.get(name)) for name, (one, _) in self.waiting.items())
        line = [one for one, said in waits if said and brought.intersection(said.awaited)]
        return {name for mutation in line for name in _brings(mutation)}

    def _may_go(self, one: tuple[str, tuple[Mutation, Sender]]) -> bool:
        name, (_mutation, sender) = one
        state, said = self.state, self.state.outcomes.get(name)
        return said is not None and any(
            here in state.records or state.is_final(here) or (sender.user, here) in state.refused
            for here in said.awaited
        )

    def _settle(self, mutation: Mutation) -> None:
        if _group_of(mutation):
            self._settle_group(mutation)
            return
        mutation, sender = self.waiting[mutation["id"]]
        self._finish(mutation, sender, self._word(mutation, sender))

    def _word(self, mutation: Mutation, sender: Sender) -> Said:
        """P5: what moved away from one device tells nothing of what another one has seen."""
        state = self.state
        if mutation["id"] in self.informed and mutation["record"] in state.records:
            newest = state.records[mutation["record"]].version
            mutation = {**mutation, "base": newest, "epoch": state.epochs[-1]}
        if mutation["kind"] in ADOPTED:
            return adopt(state, mutation, sender)
        own = self.looker == (sender.user, mutation.get("device"), sender.writer)
        if not own and mutation["id"] not in self.batch:
            state = replace(state, moved=frozenset(), open=frozenset())
        return decide(state, mutation, sender, self.met)

    def _finish(self, mutation: Mutation, sender: Sender, said: Said) -> None:
        if said.outcome == "waiting" and mutation["id"] in self.late:
            said = refused("unknown_reference")
        if said.outcome == "rejected":
            park(self.state, mutation, sender)
        self.state.outcomes[mutation["id"]] = said
        if said.outcome != "waiting":
            self.waiting.pop(mutation["id"], None)

    def _settle_group(self, mutation: Mutation) -> None:
        """All of a group or nothing of it."""
        here = [one for one in self.waiting.values() if _is_beside(one[0], mutation)]
        here.sort(key=lambda one: int(one[0]["n"]))
        if len(here) < mutation["group"]["of"]:
            for one, sender in here:
                self._finish(one, sender, Said("waiting", awaited=(f"group:{_group_of(one)}",)))
            return
        before, waiting = self.state.copy(), dict(self.waiting)
        late, self.late = self.late, frozenset()
        for one, sender in here:
            self._finish(one, sender, self._word(one, sender))
        self.late = late
        told = [self.state.outcomes[one["id"]] for one, _ in here]
        bad = [said.outcome for said in told].index("rejected") if _any(told, "rejected") else None
        if bad is None and not _any(told, "waiting"):
            return
        self.state, self.waiting = before, waiting
        inside = {name for one, _ in here for name in (one["id"], one["record"])}
        named = {name for said in told for name in said.awaited}
        awaited = tuple(sorted(named - inside) or sorted(named))
        for number, (one, sender) in enumerate(here):
            if bad is None:
                self._finish(one, sender, Said("waiting", awaited=awaited))
            else:
                self._finish(one, sender, told[bad] if number == bad else refused("group"))


def _any(told: Sequence[Said], outcome: str) -> bool:
    return any(said.outcome == outcome for said in told)


def _group_of(m: Mutation) -> str | None:
    group = m.get("group")
    return str(group["id"]) if group else None


def _is_beside(one: Mutation, other: Mutation) -> bool:
    return _group_of(one) == _group_of(other) and one.get("device") == other.get("device")


def _brings(m: Mutation) -> set[str]:
    """The names that others may wait for."""
    return {m["id"], m["record"]} | ({f"group:{_group_of(m)}"} if _group_of(m) else set())


def _in_turn(one: tuple[str, tuple[Mutation, Sender]]) -> tuple[str, int]:
    return (one[1][0].get("device") or "", one[1][0].get("n") or 0)
