"""How tests wait: for the state that they want, and not for seconds or a number of tries.

A machine may be as slow as it likes: the limit is there for what never comes, and costs nothing
where it comes.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from fieldstamp import Client, SyncReport
from fieldstamp.testing import FixedClock

LIMIT_SECONDS = 180.0
PAUSE_SECONDS = 0.02
Found = TypeVar("Found")


def until(look: Callable[[], Found], *, say: Callable[[], object] | None = None) -> Found:
    """What ``look`` returns once that is true; fails with what ``say`` returns if it never is."""
    pause, end = threading.Event(), time.monotonic() + LIMIT_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, say() if say else "it never came"
        pause.wait(PAUSE_SECONDS)
    return found


def synced_at_last(client: Client, *, clock: FixedClock | None = None) -> SyncReport:
    """The report of the sync that reaches its end; until then a real server may say "later".

    ``clock`` is the device's where that stands still: it goes on before each try.
    """
    reports: list[SyncReport] = []

    def sync() -> bool:
        if clock is not None:
            clock.pass_time(1000)
        reports.append(client.sync().run())
        return reports[-1].synced

    until(sync, say=lambda: (reports[-1], client.outbox()))
    return reports[-1]
