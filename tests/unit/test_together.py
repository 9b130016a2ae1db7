"""Asks that come at once are one run, which begins after all of them."""

import threading

import pytest

from server.media.together import Together
from tests.until import LIMIT_SECONDS


def test_asks_that_come_while_one_runs_are_one_later_run() -> None:
    together, goes_on, begun = Together(), threading.Event(), threading.Event()
    runs: list[int] = []
    told: list[int] = []

    def work() -> int:
        begun.set()
        assert goes_on.wait(LIMIT_SECONDS)
        runs.append(1)
        return 7

    def ask() -> None:
        told.append(together.run(work))

    first = threading.Thread(target=ask)
    first.start()
    assert begun.wait(LIMIT_SECONDS)
    later = [threading.Thread(target=ask) for _ in range(5)]
    for thread in later:
        thread.start()
    assert not told, "nobody is served by a run that began before it asked"
    goes_on.set()
    for thread in (first, *later):
        thread.join(LIMIT_SECONDS)
    assert told.count(7) >= 2
    assert len(runs) == told.count(7)
    assert len(told) == 6


def test_a_run_that_fails_serves_nobody() -> None:
    together = Together()

    def fail() -> int:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        together.run(fail)
    assert together.run(lambda: 3) == 3
