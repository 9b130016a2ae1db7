"""Hints to the worker: a burst gives few, and what came last is never left out."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from server.settings import Settings
from server.work import waking
from server.work.waking import Waker
from tests.until import LIMIT_SECONDS


class Rest:
    """A timer that ends when the test says so."""

    daemon = False

    def __init__(self, _seconds: float, end: Callable[..., None], given: list[Settings]) -> None:
        self.end = lambda: end(*given)
        RESTS.append(self)

    def start(self) -> None:
        """Begins."""


RESTS: list[Rest] = []


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[Rest]:
    RESTS.clear()
    monkeypatch.setattr(waking.threading, "Timer", Rest)
    return RESTS


def test_a_burst_of_work_wakes_the_worker_at_its_beginning_and_at_its_end(
    rests: list[Rest], tmp_path: Path
) -> None:
    sent: list[Settings] = []
    waker, settings = Waker(sent.append), Settings(data=tmp_path)
    for _ in range(100):
        waker(settings)
    assert sent == [settings]
    rests.pop().end()
    assert sent == [settings] * 2
    rests.pop().end()
    assert not rests
    waker(settings)
    assert sent == [settings] * 3


def test_a_later_hint_comes_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(waking, "REST_SECONDS", 0.01)
    twice, sent = threading.Event(), []

    def wake(settings: Settings) -> None:
        sent.append(settings)
        if len(sent) == 2:
            twice.set()

    waker = Waker(wake)
    waker(Settings(data=tmp_path))
    waker(Settings(data=tmp_path))
    assert twice.wait(LIMIT_SECONDS)
