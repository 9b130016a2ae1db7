"""P1, P2, P3, P6: takes a batch of mutations: load, decide, write, one transaction, then answer.

Parsing and judging seals happen before the writer's lock is taken. Outcomes are values; an
exception means that the request as a whole failed and that nothing of it was stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from server.casework import queue
from server.casework.queue import Asked
from server.clock import to_wire
from server.db import Fault, told_faults, transaction
from server.errors import Problem
from server.people.keys import PublicKey
from server.people.principal import Principal
from server.proof.seal import Verdict, judge
from server.sync.answers import Told, result_of
from server.sync.batch import Batch, Sender
from server.sync.decide import decide
from server.sync.engine import Sync
from server.sync.load import Loaded, StoredMutation, known_links, load
from server.sync.rows import Rows
from server.sync.store import Decided, Writing, keep_reused, write
from server.sync.wire import MAX_BATCH, Mutation, Outcome, Unreadable, links_of, read_mutation

ATTEMPTS = 5
"""Times that a transaction is tried when another one was in its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who pushes, as what, with which key; the key is None where there is no device."""

    sender: Principal
    writer: Sender = "device"
    key: PublicKey | None = None


def push_batch(
    sync: Sync, session: Session, envelope: Envelope, raw: Sequence[object]
) -> list[dict[str, Any]]:
    """One result per mutation, in order, as the wire has it (problems not yet in words).

    Raises Problem ``bad_request`` where a mutation has no id, ``too_large`` above 500, and
    ``unavailable`` where the store cannot take the batch now.
    """
    mutations = _read(envelope, raw)
    verdicts = _judge(session, envelope, mutations)
    told = _push(sync, session, envelope, mutations, verdicts)
    return [result_of(sync, one) for one in told]


def _read(envelope: Envelope, raw: Sequence[object]) -> list[Mutation]:
    if len(raw) > MAX_BATCH:
        raise Problem("too_large", extra={"limit": "mutations", "maximum": MAX_BATCH})
    sender = envelope.sender
    device = sender.device if envelope.writer == "device" else None
    try:
        return [read_mutation(one, user=sender.user, device=device) for one in raw]
    except Unreadable:
        raise Problem("bad_request", fields={"mutations": "id"}) from None


def _judge(
    session: Session, envelope: Envelope, mutations: Sequence[Mutation]
) -> Mapping[str, Verdict]:
    """Verdicts on the seals by mutation id. A bad seal is said, and refuses nothing."""
    verdicts: dict[str, Verdict] = dict.fromkeys((m.id for m in mutations), "unsealed")
    own = [m for m in mutations if m.device == envelope.sender.device]
    links = links_of(own)
    if envelope.key is None or not links:
        return verdicts
    with told_faults():
        before = known_links(Rows(session), str(envelope.sender.device), list(links.values()))
    by_digest = judge(envelope.key, list(links.values()), before)
    return verdicts | {id_: by_digest[link.digest] for id_, link in links.items()}


def _push(
    sync: Sync,
    session: Session,
    envelope: Envelope,
    mutations: Sequence[Mutation],
    verdicts: Mapping[str, Verdict],
) -> list[Told]:
    """P8: where the database refuses the data, the batch is split until the bad one is alone."""
    try:
        return _attempt(sync, session, envelope, mutations, verdicts)
    except Fault as fault:
        if fault.sort != "data" or len(mutations) == 1:
            raise Problem("unavailable", retry_after=5) from fault
    middle = len(mutations) // 2
    told: list[Told] = []
    for half in (mutations[:middle], mutations[middle:]):
        try:
            told += _push(sync, session, envelope, half, verdicts)
        except Problem as problem:
            if len(half) > 1:
                raise
            told += [Told.again(one, problem.retry_after or 5) for one in half]
    return told


def _attempt(
    sync: Sync,
    session: Session,
    envelope: Envelope,
    mutations: Sequence[Mutation],
    verdicts: Mapping[str, Verdict],
) -> list[Told]:
    for remaining in reversed(range(ATTEMPTS)):
        try:
            with told_faults(), transaction(session):
                return _Transaction(sync, session, envelope, verdicts).run(mutations)
        except Fault as fault:
            if fault.sort != "race" or not remaining:
                raise
    raise AssertionError("unreachable")


@dataclass(slots=True)
class _Transaction:
    """One pushed batch inside its transaction."""

    sync: Sync
    session: Session
    envelope: Envelope
    verdicts: Mapping[str, Verdict]
    decided: list[Decided] = field(default_factory=list)
    reused: list[Mutation] = field(default_factory=list)

    def run(self, mutations: Sequence[Mutation]) -> list[Told]:
        rows = Rows(self.session)
        loaded = load(rows, self.sync.registry, mutations, user=self.envelope.sender.user)
        batch = self._batch(loaded)
        now = self.sync.clock.now()
        at = to_wire(now)
        told = [self._take(batch, loaded, mutation, at) for mutation in mutations]
        self._write(rows, loaded, at)
        asked = _asked(self.decided)
        queue.apply(self.session, asked, by=self.envelope.sender.user, at=now)
        return [_with_data(batch, one) for one in told]

    def _batch(self, loaded: Loaded) -> Batch:
        return Batch(
            registry=self.sync.registry,
            sender=self.envelope.sender,
            writer=self.envelope.writer,
            new_id=self.sync.ids.new,
            heads=dict(loaded.heads),
            outcomes={id_: known.outcome for id_, known in loaded.known.items()},
        )

    def _take(self, batch: Batch, loaded: Loaded, mutation: Mutation, at: str) -> Told:
        known = loaded.known.get(mutation.id)
        if known is None:
            return self._decide(batch, loaded, mutation, at=at)
        if (known.content, known.user) != (mutation.content, self.envelope.sender.user):
            self.reused.append(mutation)
            return Told.reused(mutation)
        if known.outcome.is_final:
            return Told.replayed(mutation, known)  # P2: the outcome that was given before
        return self._decide(batch, loaded, mutation, at=known.received_at, key=known.key)

    def _decide(
        self, batch: Batch, loaded: Loaded, mutation: Mutation, *, at: str, key: int | None = None
    ) -> Told:
        decision = decide(batch, mutation)
        batch.apply(mutation, decision)
        verdict = self.verdicts[mutation.id]
        self._forget(mutation)
        self.decided.append(
            Decided(
                mutation=mutation,
                outcome=decision.outcome,
                verdict=verdict,
                writes=decision.writes,
                key=key,
            )
        )
        stored = _stored(loaded, mutation, decision.outcome, at, key)
        loaded.known[mutation.id] = stored
        return Told(mutation=mutation, stored=stored, derived=decision.derived)

    def _forget(self, mutation: Mutation) -> None:
        """A waiting mutation that stands twice in a batch is written once."""
        self.decided = [one for one in self.decided if one.mutation.id != mutation.id]

    def _write(self, rows: Rows, loaded: Loaded, at: str) -> None:
        sender = self.envelope.sender
        writing = Writing(
            rows=rows,
            loaded=loaded,
            user=sender.user,
            writer=self.envelope.writer,
            at=at,
        )
        write(writing, self.decided)
        keep_reused(rows, self.reused, user=sender.user, at=at)


def _stored(
    loaded: Loaded, mutation: Mutation, outcome: Outcome, at: str, key: int | None
) -> StoredMutation:
    return StoredMutation(
        key=key or 0,
        id=mutation.id,
        user=mutation.user,
        content=mutation.content,
        digest=mutation.digest,
        epoch=loaded.epoch,
        outcome=outcome,
        received_at=at,
    )


def _asked(decided: Sequence[Decided]) -> list[Asked]:
    return [
        Asked(
            record=written.head.id,
            kind=written.head.kind,
            region=written.head.placement.region,
            effect=effect,
        )
        for item in decided
        for written in item.writes
        for effect in written.effects
    ]


def _with_data(batch: Batch, told: Told) -> Told:
    """Adds the record as it is now, where the device cannot compute it and may see it (P5)."""
    if not told.wants_data or batch.sender.upload_only:
        return told
    head = batch.visible(told.mutation.record)
    return told if head is None else told.showing(head)
