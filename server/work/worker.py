"""The worker process: huey's consumer, its tasks, and the wake-ups that the server sends it."""

from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask
from huey import Huey
from huey.consumer import Consumer, Scheduler

from server.settings import Settings
from server.work.queue import open_queue
from server.work.rounds import run_round

SWEEP_SECONDS = 10

log = structlog.get_logger()


def _register(queue: Huey, work: Callable[[], object]) -> Any:
    """The two tasks: the hint that there is work, and the sweep that needs no hint."""

    @queue.periodic_task(lambda _moment: True, name="sweep")  # type: ignore[untyped-decorator]
    def sweep() -> None:
        work()

    @queue.task(name="look")  # type: ignore[untyped-decorator]
    def look() -> None:
        work()

    return look


def send_wake_up(settings: Settings) -> None:
    """Tells a worker, wherever it runs, that there is work. Failing costs only time."""
    try:
        queue = open_queue(settings)
        _register(queue, lambda: None)()
        queue.storage.close()
    except Exception:
        log.warning("wake_up_lost", exc_info=True)


class EveryFewSeconds(Scheduler):  # type: ignore[misc]
    """The library's scheduler, which by itself looks at periodic tasks once a minute."""

    periodic_task_seconds = SWEEP_SECONDS


class Worker(Consumer):  # type: ignore[misc]
    """One thread that works and one that sweeps; decoding happens in children."""

    scheduler_class = EveryFewSeconds


def run_worker(app: Flask) -> None:
    """Works until it is told to stop by SIGINT or SIGTERM; call it in a process of its own."""
    queue = open_queue(app.extensions["fieldstamp"].settings)
    _register(queue, lambda: run_round(app))
    Worker(queue, workers=1, periodic=True, graceful_signal="TERM").run()
