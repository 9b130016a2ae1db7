"""The worker process: huey's consumer, which wakes for hints and every few seconds."""

from flask import Flask
from huey import Huey
from huey.consumer import Consumer, Scheduler

from server.work.queue import open_queue, register
from server.work.rounds import run_round

SWEEP_SECONDS = 10


class EveryFewSeconds(Scheduler):  # type: ignore[misc]
    """The library's scheduler, which by itself looks at periodic tasks once a minute."""

    periodic_task_seconds = SWEEP_SECONDS


class Worker(Consumer):  # type: ignore[misc]
    """One thread that works and one that sweeps; decoding happens in children."""

    scheduler_class = EveryFewSeconds


def attend(queue: Huey, app: Flask) -> None:
    """Answers all hints that have come with one round, and goes on while rounds find work."""

    def work() -> None:
        queue.storage.flush_queue()  # a round that begins now sees whatever they were about
        if run_round(app) and not len(queue):
            look()

    look = register(queue, work)


def run_worker(app: Flask) -> None:
    """Works until it is told to stop by SIGINT or SIGTERM; call it in a process of its own."""
    queue = open_queue(app.extensions["fieldstamp"].settings)
    attend(queue, app)
    Worker(queue, workers=1, periodic=True, graceful_signal="TERM").run()
