"""The middle of load, decide, write: replays, groups, and what waited for the batch.

Works on what was loaded and on nothing else; the order of a batch is kept, a group stands where
its last member stands, and what waits is decided as soon as what it waits for is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from server.people.principal import Principal
from server.proof.seal import Verdict
from server.sync.answers import Told
from server.sync.batch import Batch, Decision, Sender
from server.sync.decide import decide
from server.sync.kept import park
from server.sync.load import Loaded, StoredMutation
from server.sync.store import Decided
from server.sync.wire import Mutation, Outcome, rejected, waiting
from server.values import Value, replace

MENDED_SECONDS = 600
"""When a mutation is tried again that a fault in a rule of ours stopped."""

log = structlog.get_logger()


class Pending(Value, frozen=True):
    """A mutation without a final outcome: new, or loaded because it waits."""

    mutation: Mutation
    received_at: str
    epoch: str
    sender: Principal
    """Its own user, with the rights of today."""
    writer: Sender
    key: int | None = None


@dataclass(slots=True, kw_only=True)
class Deciding:
    """One batch being decided; ``decided`` is what must be written."""

    batch: Batch
    loaded: Loaded
    verdicts: Mapping[str, Verdict]
    at: str
    pending: dict[str, Pending] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    reused: list[Mutation] = field(default_factory=list)
    late: frozenset[str] = frozenset()
    """Mutations that have waited as long as they may."""
    stopped: set[str] = field(default_factory=set)
    """Mutations that a fault in a rule stopped; nothing of them is stored."""

    def take(self, mutations: Sequence[Mutation]) -> list[Told]:
        """What is said about each mutation, in order."""
        replays = [self._replay(mutation) for mutation in mutations]
        fresh = [one for one, told in zip(mutations, replays, strict=True) if told is None]
        forked = self.loaded.forked
        fresh = [replace(one, forked=True) if one.id in forked else one for one in fresh]
        for mutation in fresh:
            self._admit(mutation)
        unique = {mutation.id: mutation for mutation in fresh}
        for unit in list(self._units(list(unique.values()))):
            self._decide(unit)
        self.wake()
        seen: set[str] = set()
        return [self._tell(one, told, seen) for one, told in zip(mutations, replays, strict=True)]

    def _replay(self, mutation: Mutation) -> Told | None:
        """P2: the answer to a mutation whose outcome is final, or whose id is another's."""
        known = self.loaded.known.get(mutation.id)
        if known is None:
            return None
        if (known.content, known.user) != (mutation.content, self.batch.sender.user):
            self.reused.append(mutation)
            return Told.reused(mutation)
        return Told.replayed(mutation, known) if known.outcome.is_final else None

    def _admit(self, mutation: Mutation) -> None:
        known = self.loaded.known.get(mutation.id)
        first = self.pending.get(mutation.id)
        if first is not None and first.key is None and first.mutation.content != mutation.content:
            self.reused.append(mutation)
            return
        self.pending[mutation.id] = Pending(
            mutation=mutation,
            received_at=known.received_at if known else self.at,
            epoch=known.epoch if known else self.loaded.epoch,
            sender=self.batch.sender,
            writer=self.batch.writer,
            key=known.key if known else None,
        )

    def _units(self, mutations: Sequence[Mutation]) -> Iterable[list[Pending]]:
        """Single mutations, and each group with all of it that is here, once, at its end."""
        last = {one.group.id: one.id for one in mutations if one.group is not None}
        for mutation in mutations:
            if mutation.group is None:
                yield [self.pending[mutation.id]]
            elif last[mutation.group.id] == mutation.id:
                yield self._members(mutation)

    def _members(self, mutation: Mutation) -> list[Pending]:
        members = [
            one
            for one in self.pending.values()
            if one.mutation.group is not None
            and mutation.group is not None
            and one.mutation.group.id == mutation.group.id
            and one.mutation.device == mutation.device
        ]
        return sorted(members, key=lambda one: one.mutation.n or 0)

    def _decide(self, unit: Sequence[Pending]) -> None:
        if unit[0].mutation.group is not None:
            self._decide_group(unit)
            return
        if unit[0].mutation.id in self.decided or unit[0].mutation.id in self.stopped:
            return
        decision = self._try(self.batch, unit[0])
        if decision is not None:
            self._accept(unit[0], decision)

    def _try(self, batch: Batch, one: Pending) -> Decision | None:
        try:
            return decide(_as(batch, one), one.mutation)
        except Exception:
            # P8: a fault in one kind's rules stops that mutation alone.
            log.exception("rule_failed", mutation=one.mutation.id, kind=one.mutation.kind)
            self.stopped.add(one.mutation.id)
            return None

    def _accept(self, one: Pending, decision: Decision) -> None:
        if one.mutation.id in self.late and _waits_for_records(decision.outcome):
            decision = park(_as(self.batch, one), one.mutation, rejected("unknown_reference"))
        _as(self.batch, one).apply(one.mutation, decision)
        # P6: what waited first stands behind what it waited for, so that its version is the last.
        self.decided.pop(one.mutation.id, None)
        self.decided[one.mutation.id] = Decided(
            mutation=one.mutation,
            outcome=decision.outcome,
            verdict=self.verdicts.get(one.mutation.id, "unsealed"),
            writes=decision.writes,
            derived=decision.derived,
            claims=decision.claims,
            user=one.sender.user,
            writer=one.writer,
            key=one.key,
        )
        if decision.outcome.is_final:
            self.pending.pop(one.mutation.id, None)

    def _decide_group(self, unit: Sequence[Pending]) -> None:
        """All or nothing: it waits until all of it was received; one refusal refuses all."""
        group = unit[0].mutation.group
        if group is None or len(unit) < group.of:
            for one in unit:
                self._accept(one, Decision(outcome=waiting(f"group:{group and group.id}")))
            return
        if not _is_sound(unit):
            self._refuse_group(
                unit, unit[0].mutation.id, rejected("validation", {"group": "format"})
            )
            return
        decisions = self._rehearse(unit)
        if decisions is None:
            self.stopped |= {member.mutation.id for member in unit}
            return
        self._settle_group(unit, decisions)

    def _rehearse(self, unit: Sequence[Pending]) -> list[Decision] | None:
        """The decisions of a group on a copy of the batch; None where a rule failed."""
        tentative = self.batch.copy()
        decisions: list[Decision] = []
        for one in unit:
            decision = self._try(tentative, one)
            if decision is None:
                return None
            _as(tentative, one).apply(one.mutation, decision)
            decisions.append(decision)
        return decisions

    def _settle_group(self, unit: Sequence[Pending], decisions: Sequence[Decision]) -> None:
        for one, decision in zip(unit, decisions, strict=True):
            if decision.outcome.name == "rejected":
                self._refuse_group(unit, one.mutation.id, decision.outcome)
                return
        awaited = _awaited(unit, decisions)
        for one, decision in zip(unit, decisions, strict=True):
            self._accept(one, Decision(outcome=waiting(*awaited)) if awaited else decision)

    def _refuse_group(self, unit: Sequence[Pending], cause: str, outcome: Outcome) -> None:
        for one in unit:
            told = outcome if one.mutation.id == cause else rejected("group", cause=cause)
            self._accept(one, park(_as(self.batch, one), one.mutation, told))

    def wake(self) -> None:
        """Decides what waited for records and mutations that are here now, until nothing moves."""
        moved = True
        while moved:
            ready = [one for one in self._waiting() if self._has_arrived(one)]
            before = {one.mutation.id: self._outcome(one) for one in ready}
            for one in ready:
                self._decide_again(one)
            moved = any(self._outcome(one) != before[one.mutation.id] for one in ready)

    def _waiting(self) -> list[Pending]:
        held = [one for one in self.pending.values() if one.mutation.id not in self.stopped]
        return sorted(held, key=lambda one: (one.mutation.device or "", one.mutation.n or 0))

    def _outcome(self, one: Pending) -> Outcome | None:
        return self.batch.outcomes.get(one.mutation.id)

    def _has_arrived(self, one: Pending) -> bool:
        outcome = self._outcome(one)
        return outcome is not None and any(self._is_here(one, name) for name in outcome.waits_for)

    def _is_here(self, one: Pending, awaited: str) -> bool:
        if awaited in self.batch.heads or self.batch.is_settled(awaited):
            return True
        return _as(self.batch, one).refused_create(awaited) is not None

    def _decide_again(self, one: Pending) -> None:
        if one.mutation.id not in self.pending:
            return
        if one.mutation.group is not None:
            self._decide_group(self._members(one.mutation))
            return
        decision = self._try(self.batch, one)
        if decision is not None and decision.outcome != self._outcome(one):
            self._accept(one, decision)

    def _tell(self, mutation: Mutation, replay: Told | None, seen: set[str]) -> Told:
        if replay is not None:
            return replay
        decided = self.decided.get(mutation.id)
        if decided is None or mutation.id in self.stopped:
            return Told.again(mutation, MENDED_SECONDS)
        if decided.mutation.content != mutation.content:
            return Told.reused(mutation)
        told = Told(
            mutation=decided.mutation,
            stored=self._stored(decided),
            derived=decided.derived,
            replay=mutation.id in seen,
        )
        seen.add(mutation.id)
        return told

    def _stored(self, decided: Decided) -> StoredMutation:
        known = self.loaded.known.get(decided.mutation.id)
        return StoredMutation(
            key=decided.key or 0,
            id=decided.mutation.id,
            user=decided.user,
            content=decided.mutation.content,
            digest=decided.mutation.digest,
            epoch=known.epoch if known else self.loaded.epoch,
            outcome=decided.outcome,
            received_at=known.received_at if known else self.at,
        )


def _as(batch: Batch, one: Pending) -> Batch:
    """The batch in the eyes of the one who sent ``one``."""
    if batch.sender is one.sender and batch.writer == one.writer:
        return batch
    return batch.seen_by(one.sender, one.writer)


def _waits_for_records(outcome: Outcome) -> bool:
    """Whether it waits for what a device should have sent; a kind may be long in coming."""
    return not outcome.is_final and not any(name.startswith("kind:") for name in outcome.waits_for)


def _is_sound(unit: Sequence[Pending]) -> bool:
    """Whether a group's members agree on its size and have consecutive numbers."""
    numbers = [one.mutation.n or 0 for one in unit]
    sizes = {one.mutation.group.of for one in unit if one.mutation.group is not None}
    return sizes == {len(unit)} and numbers == list(range(numbers[0], numbers[0] + len(unit)))


def _awaited(unit: Sequence[Pending], decisions: Sequence[Decision]) -> list[str]:
    """What a group waits for outside itself."""
    inside = {one.mutation.id for one in unit} | {one.mutation.record for one in unit}
    named = {name for decision in decisions for name in decision.outcome.waits_for}
    return sorted(named - inside) or (sorted(named) if named else [])
