"""P1, P2, P3, P6: takes a batch of mutations: load, decide, write, one transaction, then answer.

Parsing and judging seals happen before the writer's lock is taken. Outcomes are values; an
exception means that the request as a whole failed and that nothing of it was stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from server.proof.seal import Verdict, judge
from server.rows import Rows
from server.sync.answers import Told, result_of
from server.sync.batch import Batch, Sender
from server.sync.deciding import MENDED_SECONDS, Deciding, Pending
from server.sync.engine import Sync
from server.sync.lineage import rebase
from server.sync.load import Loaded, known_links, load
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
    verdicts = _judge(session, envelope.sender, mutations)
    pushing = _Pushing(sync, session, envelope, verdicts)
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


def _judge(
    session: Session, sender: Principal, mutations: Sequence[Mutation]
) -> Mapping[str, Verdict]:
    """Verdicts on the seals by mutation id. A bad seal is said, and refuses nothing."""
    verdicts: dict[str, Verdict] = dict.fromkeys((m.id for m in mutations), "unsealed")
    links = links_of(one for one in mutations if one.device == sender.device)
    if sender.key is None or not links:
        return verdicts
    with told_faults():
        before = known_links(Rows(session), str(sender.device), list(links.values()))
    by_digest = judge(sender.key, list(links.values()), before)
    return verdicts | {id_: by_digest[link.digest] for id_, link in links.items()}


@dataclass(slots=True)
class _Pushing:
    """One request: a transaction, or several where the database refuses what one of them holds."""

    sync: Sync
    session: Session
    envelope: Envelope
    verdicts: Mapping[str, Verdict]
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
                with told_faults(), transaction(self.session):
                    return self._run(mutations)
            except Fault as fault:
                if fault.sort != "race" or not remaining:
                    raise
        raise AssertionError("unreachable")

    def _run(self, mutations: Sequence[Mutation]) -> list[Told]:
        """Load, decide, write."""
        rows, sender = Rows(self.session), self.envelope.sender
        now = self.sync.clock.now()
        loaded = load(rows, self.sync.registry, mutations, sender=sender)
        mutations = rebase(rows, loaded, mutations)
        self.epoch = loaded.epoch
        deciding = Deciding(
            batch=_batch(self.sync, self.envelope, loaded),
            loaded=loaded,
            verdicts=self.verdicts,
            at=to_wire(now),
            pending=_pending(self.session, sender, loaded),
            late=self.envelope.late,
        )
        told = deciding.take(mutations)
        decided = list(deciding.decided.values())
        writing = Writing(
            rows=rows,
            registry=self.sync.registry,
            loaded=loaded,
            user=sender.user,
            at=to_wire(now),
        )
        write(writing, decided)
        keep_reused(writing, deciding.reused)
        queue.apply(self.session, _asked(decided), by=sender.user, at=now)
        queue.move(self.session, {one.id: one.placement.region for one in writing.moved.values()})
        return [_with_data(deciding.batch, one) for one in told]


def _batch(sync: Sync, envelope: Envelope, loaded: Loaded) -> Batch:
    return Batch(
        registry=sync.registry,
        sender=envelope.sender,
        writer=envelope.writer,
        new_id=sync.ids.new,
        heads=dict(loaded.heads),
        outcomes={id_: known.outcome for id_, known in loaded.known.items()},
        refused=dict(loaded.refused),
        moved=loaded.moved,
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
            effect=effect,
            is_new=written.head.key is None,
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
