"""What is measured: pushes of new records, updates, a fresh pull, idle polls, the same batch again.

Counts and rates are of records, but for polls, which are requests.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bench import wire
from bench.cards import Card, make_cards, make_change
from bench.crew import CLIENTS, Crew, Job, Share
from bench.processes import cpu_seconds
from bench.system import Page, System, Told

Item = TypeVar("Item")
STALE = 0.1
POLL_SECONDS = 3.0
WARM_ROUNDS, WARM_BATCH = 4, 20
FOLLOW_SECONDS = 0.1


@dataclass(slots=True)
class Measured:
    """One workload on one system."""

    rate: float
    """Per second."""
    cpu: float
    """Milliseconds of processor time per 1,000, of the server's processes and its database."""
    p95: float
    """Milliseconds of a request that 95 of 100 do not exceed."""
    counts: dict[str, int] = field(default_factory=dict)
    """What became of the records, as the answers say."""


@dataclass(slots=True)
class Run:
    """A system under load, with what its devices know."""

    system: System
    crew: Crew
    cards: list[list[Card]] = field(default_factory=list)
    """By client."""
    sent: list[list[bytes]] = field(default_factory=list)
    """The requests of the last push, by client."""

    def warm_up(self) -> None:
        """Has every server process load and answer before anything is measured."""
        for number in range(WARM_ROUNDS):
            self.push(CLIENTS * WARM_BATCH, WARM_BATCH, seed=f"warm{number}")

    def push(self, count: int, batch: int, *, seed: str) -> Measured:
        """New records, ``count`` of all clients together."""
        share = -(-count // (CLIENTS * batch)) * batch
        self.cards = [make_cards(f"{seed}{client}", share) for client in range(CLIENTS)]
        self.sent = [
            [self.system.create(client, part) for part in _parts(own, batch)]
            for client, own in enumerate(self.cards)
        ]
        return self._push(self.sent, self.cards)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """A device polls meanwhile, as with every server that grows.

        On PostgreSQL a poll numbers what was written since the last one. Where a million rows wait
        for the first poll, what is left of them stands in the way of the next ones until PostgreSQL
        tidies up.
        """
        done = threading.Event()
        whole = self.system.pull(0, self._catch_up(0))
        device = threading.Thread(target=self._follow, args=(whole, done))
        device.start()
        try:
            yield
        finally:
            done.set()
            device.join()

    def _follow(self, whole: bytes, done: threading.Event) -> None:
        line = wire.Line(self.system.port)
        while not done.wait(FOLLOW_SECONDS):
            line.ask(whole)
        line.close()

    def again(self) -> Measured:
        """The requests of the last push once more, as after a lost answer.

        ``delivered`` counts what is sent to others because of it.
        """
        cursor = self._catch_up(None)
        measured = self._push(self.sent, self.cards)
        _spans, pages, _cursor = self._pages(None, cursor)
        measured.counts |= _seen(pages)
        return measured

    def update(self, batch: int) -> Measured:
        """A change of every record of the last push; one in ten was changed by somebody else."""
        source = random.Random("update")
        changes = [[(card, make_change(source)) for card in own] for own in self.cards]
        stale = [[(c, make_change(source)) for c in own[:: int(1 / STALE)]] for own in self.cards]
        overtaking = [
            [self.system.overtake(client, part) for part in _parts(own, batch)]
            for client, own in enumerate(stale)
        ]
        self.crew.run([Job(self.system.port, own) for own in overtaking])
        requests = [
            [self.system.patch(client, part) for part in _parts(own, batch)]
            for client, own in enumerate(changes)
        ]
        return self._push(requests, self.cards)

    def pull(self) -> Measured:
        """All records to a device that sees all, for the second time, page after page."""
        self._catch_up(None)
        before = cpu_seconds(self.system.pids)
        spans, pages, _cursor = self._pages(None, None)
        used = cpu_seconds(self.system.pids) - before
        records = sum(page.records for page in pages)
        return Measured(records / sum(spans), _per_thousand(used, records), _p95(spans))

    def poll(self) -> Measured:
        """A closed loop of pulls by devices that have everything."""
        cursors = [self._catch_up(client) for client in range(CLIENTS)]
        jobs = [
            Job(self.system.port, [self.system.pull(client, cursor)], POLL_SECONDS)
            for client, cursor in enumerate(cursors)
        ]
        before = cpu_seconds(self.system.pids)
        shares = self.crew.run(jobs)
        used = cpu_seconds(self.system.pids) - before
        pages = [self.system.read_page(share.answers[-1][1]) for share in shares]
        return _measure(shares, sum(len(s.spans) for s in shares), used, _seen(pages))

    def _push(self, requests: Sequence[list[bytes]], cards: Sequence[list[Card]]) -> Measured:
        jobs = [Job(self.system.port, own) for own in requests]
        before = cpu_seconds(self.system.pids)
        shares = self.crew.run(jobs)
        used = cpu_seconds(self.system.pids) - before
        told = [self._read(share) for share in shares]
        counts = Counter[str]()
        for own, answers in zip(cards, told, strict=True):
            counts.update(map(_note, own, answers))
        return _measure(shares, counts.total(), used, dict(counts))

    def _read(self, share: Share) -> list[Told]:
        failed = [body for status, body in share.answers if status >= 400]
        if failed:
            raise RuntimeError(f"refused: {failed[0][:500]!r}")
        return [told for _status, body in share.answers for told in self.system.read_push(body)]

    def _catch_up(self, client: int | None) -> object:
        return self._pages(client, None)[2]

    def _pages(self, client: int | None, cursor: object) -> tuple[list[float], list[Page], object]:
        spans: list[float] = []
        pages: list[Page] = []
        while not pages or pages[-1].more:
            whole = self.system.pull(client, cursor)
            [share] = self.crew.run([Job(self.system.port, [whole])])
            spans += share.spans
            pages.append(self.system.read_page(share.answers[0][1]))
            cursor = pages[-1].cursor or cursor
        return spans, pages, cursor


def _note(card: Card, answer: Told) -> str:
    """What became of a record; a repeated one must be told the version that it was told first."""
    if answer.what == "repeated" and answer.mark != card.mark:
        return "told another version"
    if answer.mark is not None:
        card.mark = answer.mark
    return answer.what


def _parts(whole: Sequence[Item], batch: int) -> list[Sequence[Item]]:
    return [whole[at : at + batch] for at in range(0, len(whole), batch)]


def _seen(pages: Sequence[Page]) -> dict[str, int]:
    return {"delivered": sum(page.records for page in pages)}


def _measure(shares: Sequence[Share], done: int, used: float, counts: dict[str, int]) -> Measured:
    seconds = max(share.ended for share in shares) - min(share.began for share in shares)
    spans = [span for share in shares for span in share.spans]
    return Measured(done / seconds, _per_thousand(used, done), _p95(spans), counts)


def _per_thousand(seconds: float, count: int) -> float:
    return seconds * 1_000_000 / count


def _p95(spans: Sequence[float]) -> float:
    return sorted(spans)[len(spans) * 95 // 100 - 1 if len(spans) >= 20 else -1] * 1000
