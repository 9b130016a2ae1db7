"""The eight client processes: started once, told what to send, started together."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from bench.wire import Line

CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Job:
    """What one client sends: every request once, or all of them in turn for ``seconds``."""

    port: int
    requests: list[bytes]
    seconds: float | None = None


@dataclass(slots=True)
class Share:
    """What one client saw; times are of one monotonic clock."""

    began: float = 0.0
    ended: float = 0.0
    spans: list[float] = field(default_factory=list)
    """Seconds from sending a request to the end of its answer."""
    answers: list[tuple[int, bytes]] = field(default_factory=list)


def _work(pipe: Connection) -> None:
    """Called in a client process: takes jobs until None comes."""
    while (job := pipe.recv()) is not None:
        pipe.send("ready")
        pipe.recv()
        pipe.send(_send_all(job))


def _send_all(job: Job) -> Share:
    line, share = Line(job.port), Share(began=time.perf_counter())
    turns = iter(job.requests) if job.seconds is None else _endless(job.requests, job.seconds)
    for whole in turns:
        sent = time.perf_counter()
        share.answers.append(line.ask(whole))
        share.spans.append(time.perf_counter() - sent)
    share.ended = time.perf_counter()
    line.close()
    return share


def _endless(requests: Sequence[bytes], seconds: float) -> Iterator[bytes]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield from requests


class Crew:
    """The clients, waiting for work."""

    def __init__(self, members: Sequence[tuple[BaseProcess, Connection]]) -> None:
        self._members = members

    def run(self, jobs: Sequence[Job]) -> list[Share]:
        """Sends all ``jobs`` at once, one a client; returns when the last one is done."""
        pipes = [pipe for _process, pipe in self._members[: len(jobs)]]
        for pipe, job in zip(pipes, jobs, strict=True):
            pipe.send(job)
        for pipe in pipes:
            pipe.recv()
        for pipe in pipes:
            pipe.send("go")
        return [pipe.recv() for pipe in pipes]


@contextmanager
def hired() -> Iterator[Crew]:
    """The client processes, for as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    members: list[tuple[BaseProcess, Connection]] = []
    try:
        for _number in range(CLIENTS):
            here, there = context.Pipe()
            process: BaseProcess = context.Process(target=_work, args=(there,), daemon=True)
            process.start()
            members.append((process, here))
        yield Crew(members)
    finally:
        for process, pipe in members:
            pipe.send(None)
            process.join(5)
            if process.is_alive():
                process.kill()
