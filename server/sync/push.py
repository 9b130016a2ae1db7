"""P1, P2, P3, P6: takes a batch of mutations: load, decide, write, one transaction, then answer.

Parsing and judging seals happen before the writer's lock is taken. Outcomes are values; an
exception means that the request as a whole failed and that nothing of it was stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from server.casework import queue
from server.casework.queue import Asked
from server.clock import to_wire
from server.db import Fault, told_faults, transaction
from server.errors import Problem
from server.people import devices, rights
from server.people.principal import Principal
from server.proof.seal import Link, Verdict, judge_first, judge_runs
from server.rows import Rows
from server.sync.answers import Told, result_of, signed
from server.sync.batch import Batch, Sender
from server.sync.deciding import MENDED_SECONDS, Deciding, Pending
from server.sync.engine import Sync
from server.sync.lineage import rebase
from server.sync.load import Loaded, load
from server.sync.store import Decided, Writing, keep_reused, write
from server.sync.wire import MAX_BATCH, Mutation, Unreadable, links_of, read_mutation
from server.values import replace

ATTEMPTS = 5
"""Times that a transaction is tried when another one was in its way."""

MOST_SENDERS = 8
"""Other people whose waiting mutations one batch decides; the rest comes with the next sweep."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who pushes, and as what."""

    sender: Principal
    writer: Sender = "device"
    late: frozenset[str] = frozenset()
    """Mutations that have waited as long as they may: a final outcome now."""
    informed: frozenset[str] = frozenset()
    """P1: mutations whose sender saw all that their record has, whatever it is numbered now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The epoch in which a batch was decided, and one result per mutation, in order."""

    epoch: str
    results: list[dict[str, Any]]


def push_batch(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[object]) -> Pushed:
    """Decides and stores a batch; problems in the results are codes, not yet words.

    Raises Problem ``bad_request`` where a mutation has no id, ``too_large`` above 500, and
    ``unavailable`` where the store cannot take the batch now.
    """
    mutations = _check_devices(session, envelope, _read(envelope, raw))
    judged = _judge(envelope.sender, mutations)
    pushing = _Pushing(sync, session, envelope, judged)
    told = pushing.split(mutations)
    return Pushed(epoch=pushing.epoch, results=[result_of(sync, one) for one in told])


def _read(envelope: Envelope, raw: Sequence[object]) -> list[Mutation]:
    if len(raw) > MAX_BATCH:
        raise Problem("too_large", extra={"limit": "mutations", "maximum": MAX_BATCH})
    sender = envelope.sender
    device = sender.device if envelope.writer == "device" else None
    try:
        return [read_mutation(one, user=sender.user, device=device) for one in raw]
    except Unreadable:
        raise Problem("bad_request", fields={"mutations": "id"}) from None


def _check_devices(
    session: Session, envelope: Envelope, mutations: Sequence[Mutation]
) -> Sequence[Mutation]:
    """P6: a mutation is of one of its own user's devices, or its edits would pass for another's.

    A store that goes on under a new device still sends what the old one sealed.
    """
    claimed = {one.device for one in mutations if one.device} - {envelope.sender.device}
    if not claimed:
        return mutations
    own = {device.id for device in devices.list_devices(session, user=envelope.sender.user)}
    strange = {"device": "id"}
    return [
        replace(one, malformed=strange, device=None) if one.device in claimed - own else one
        for one in mutations
    ]


@dataclass(frozen=True, slots=True)
class _Judged:
    """Verdicts on the seals of a batch by mutation id; a bad seal is said, and refuses nothing."""

    verdicts: Mapping[str, Verdict]
    firsts: Mapping[str, Link]
    """What begins an unbroken run: its verdict follows from what the store has before it."""

    def within(self, loaded: Loaded) -> Mapping[str, Verdict]:
        """All verdicts, with the links that the store has."""
        first = {id_: judge_first(link, loaded.chain) for id_, link in self.firsts.items()}
        return {**self.verdicts, **first}


def _judge(sender: Principal, mutations: Sequence[Mutation]) -> _Judged:
    verdicts: dict[str, Verdict] = dict.fromkeys((m.id for m in mutations), "unsealed")
    links = links_of(one for one in mutations if one.device == sender.device)
    if sender.key is None or not links:
        return _Judged(verdicts, {})
    by_digest, begin = judge_runs(sender.key, list(links.values()))
    begins = {first.digest for first in begin}
    verdicts |= {id_: by_digest[link.digest] for id_, link in links.items()}
    return _Judged(verdicts, {i: link for i, link in links.items() if link.digest in begins})


@dataclass(slots=True)
class _Pushing:
    """One request: a transaction, or several where the database refuses what one of them holds."""

    sync: Sync
    session: Session
    envelope: Envelope
    judged: _Judged
    epoch: str = ""

    def split(self, mutations: Sequence[Mutation]) -> list[Told]:
        """P8: halves a batch that holds unstorable data until the bad mutation stands alone."""
        try:
            return self._attempt(mutations)
        except Fault as fault:
            if fault.sort == "busy":
                raise Problem("unavailable", retry_after=5) from fault
        if len(mutations) == 1:
            return self._refuse(mutations[0])
        middle = len(mutations) // 2
        return self.split(mutations[:middle]) + self.split(mutations[middle:])

    def _refuse(self, mutation: Mutation) -> list[Told]:
        """Parks a mutation whose effect the database cannot hold; its sealed bytes are kept."""
        malformed = {"mutation": "text"}
        try:
            return self._attempt([replace(mutation, malformed=malformed, set={}, unset=())])
        except Fault:
            log.exception("mutation_not_storable", mutation=mutation.id)
            return [Told.again(mutation, MENDED_SECONDS)]

    def _attempt(self, mutations: Sequence[Mutation]) -> list[Told]:
        for remaining in reversed(range(ATTEMPTS)):
            try:
                with told_faults():
                    foreseen = self._foresee(mutations)
                    with transaction(self.session):
                        return self._run(mutations, foreseen)
            except Fault as fault:
                if fault.sort != "race" or not remaining:
                    raise
        raise AssertionError("unreachable")

    def _foresee(self, mutations: Sequence[Mutation]) -> "_Decided | None":
        """What would be decided now, before SQLite's one writer's lock is taken.

        Deciding is pure: where nothing of what it was given has changed when the lock is held,
        it stands, and others need not wait for it. On PostgreSQL only who writes the same rows
        waits, and to look twice costs more than it saves.
        """
        rows = Rows(self.session)
        if not rows.sqlite or not all(map(self._is_plain, mutations)):
            return None
        return self._decide(rows, self._load(rows, mutations, None, woken=False), mutations)

    def _is_plain(self, mutation: Mutation) -> bool:
        """Whether it concerns no claim keys, which are taken under the lock."""
        kind = self.sync.registry.get(mutation.kind)
        return not (kind and (kind.claims or kind.numbered))

    def _load(
        self, rows: Rows, mutations: Sequence[Mutation], before: Loaded | None, *, woken: bool
    ) -> Loaded:
        sender, registry = self.envelope.sender, self.sync.registry
        return load(rows, registry, mutations, sender=sender, woken=woken, before=before)

    def _decide(self, rows: Rows, loaded: Loaded, mutations: Sequence[Mutation]) -> "_Decided":
        now, sender = self.sync.clock.now(), self.envelope.sender
        mutations = self._inform(loaded, rebase(rows, loaded, mutations))
        deciding = Deciding(
            batch=_batch(self.sync, self.envelope, loaded, at=to_wire(now)),
            loaded=loaded,
            verdicts=self.judged.within(loaded),
            at=to_wire(now),
            pending=_pending(self.session, sender, loaded),
            late=self.envelope.late,
        )
        return _Decided(at=now, deciding=deciding, told=deciding.take(mutations))

    def _inform(self, loaded: Loaded, mutations: list[Mutation]) -> list[Mutation]:
        informed = self.envelope.informed & {m.id for m in mutations if m.record in loaded.heads}
        return [
            replace(m, base=loaded.heads[m.record].version) if m.id in informed else m
            for m in mutations
        ]

    def _run(self, mutations: Sequence[Mutation], foreseen: "_Decided | None") -> list[Told]:
        """Load, decide, write."""
        rows, user = Rows(self.session), self.envelope.sender.user
        before = foreseen.deciding.loaded if foreseen else None
        loaded = self._load(rows, mutations, before, woken=True)
        stands = before is not None and before == loaded
        taken = foreseen if foreseen and stands else self._decide(rows, loaded, mutations)
        self.epoch = loaded.epoch
        decided = list(taken.deciding.decided.values())
        writing = Writing(
            rows=rows,
            registry=self.sync.registry,
            loaded=loaded,
            user=user,
            at=to_wire(taken.at),
        )
        told = [_with_data(taken.deciding.batch, one) for one in taken.told]
        fresh_items = queue.settle(self.session, _asked(decided), by=user, at=taken.at)
        with rows.without_waiting():
            write(writing, decided)
            keep_reused(writing, taken.deciding.reused)
            queue.open_items(rows, fresh_items)
            if not rows.sqlite:  # P3: said after the commit; made while PostgreSQL is at work
                told = [signed(self.sync, one) for one in told]
        queue.move(self.session, {one.id: one.placement.region for one in writing.moved.values()})
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    """A batch with its outcomes, and what they were decided on."""

    at: datetime
    deciding: Deciding
    told: Sequence[Told]


def _batch(sync: Sync, envelope: Envelope, loaded: Loaded, *, at: str) -> Batch:
    return Batch(
        registry=sync.registry,
        sender=envelope.sender,
        writer=envelope.writer,
        new_id=sync.ids.new,
        at=at,
        arrivals={one.stored.id: one.stored.received_at for one in loaded.waiting},
        heads=dict(loaded.heads),
        outcomes={id_: known.outcome for id_, known in loaded.known.items()},
        refused=dict(loaded.refused),
        making={(envelope.sender.user, record) for record in loaded.making},
        claims=dict(loaded.claims),
        numbers=loaded.numbers,
        past=loaded.past,
        moved=set(loaded.moved),
        lost=loaded.lost,
    )


def _pending(session: Session, sender: Principal, loaded: Loaded) -> dict[str, Pending]:
    """What waits for this batch, each with the rights that its own user has today."""
    principals = {(sender.user, sender.device): sender}
    pending: dict[str, Pending] = {}
    for one in loaded.waiting:
        user, device = one.stored.user, one.mutation.device
        if (user, device) not in principals:
            if len(principals) > MOST_SENDERS:
                continue
            principals[user, device] = rights.load_principal(session, user, device=device)
        pending[one.mutation.id] = Pending(
            mutation=one.mutation,
            received_at=one.stored.received_at,
            epoch=one.stored.epoch,
            sender=principals[user, device],
            writer=one.writer,
            key=one.stored.key,
        )
    return pending


def _asked(decided: Sequence[Decided]) -> list[Asked]:
    return [
        Asked(
            record=written.head.id,
            kind=written.head.kind,
            region=written.head.placement.region,
            waits=written.waits,
            is_new=written.head.key is None,
        )
        for item in decided
        for written in item.writes
        if written.waits is not None
    ]


def _with_data(batch: Batch, told: Told) -> Told:
    """Adds the record as it is now, where the device cannot compute it and may see it (P5)."""
    if not told.wants_data or batch.sender.upload_only:
        return told
    head = batch.visible(told.mutation.record)
    return told if head is None else told.showing(head)
