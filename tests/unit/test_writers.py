"""Who writes to an upload, told to who comes next: two objects stand for two processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.media import writers as waiting
from server.media.parts import PartFiles
from server.media.writers import Writers
from tests.until import LIMIT_SECONDS

UPLOAD = "0192f0c1-0000-7000-8000-000000000001"


@pytest.fixture
def writers(tmp_path: Path) -> Writers:
    return Writers(tmp_path)


@contextmanager
def older(writers: Writers, ended: threading.Event, *, asked: threading.Event) -> Iterator[None]:
    """A writer on a thread of its own, at work until ``ended``."""
    begun = threading.Event()

    def work() -> None:
        with writers.at_work(UPLOAD, asked.set):
            begun.set()
            ended.wait(LIMIT_SECONDS)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(LIMIT_SECONDS)
    yield
    ended.set()
    thread.join(LIMIT_SECONDS)
    assert not thread.is_alive()


def test_nobody_waits_where_nobody_writes(writers: Writers) -> None:
    assert not writers.relieve(UPLOAD)
    with writers.at_work(UPLOAD, lambda: None):
        pass
    assert not writers.relieve(UPLOAD)


def test_m1_an_older_writer_is_asked_to_end_and_waited_for(writers: Writers) -> None:
    asked = threading.Event()
    with older(writers, asked, asked=asked):
        assert writers.relieve(UPLOAD)
        assert asked.is_set()
        assert not writers.relieve(UPLOAD)


def test_m1_a_writer_of_another_process_is_waited_for(
    writers: Writers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAIT_STEPS", int(LIMIT_SECONDS / waiting.STEP_SECONDS))
    ended, asked = threading.Event(), threading.Event()
    with older(writers, ended, asked=asked):
        soon = threading.Timer(0.1, ended.set)
        soon.start()
        beside = Writers(tmp_path)
        assert beside.relieve(UPLOAD)
        assert not beside.relieve(UPLOAD)
        assert not asked.is_set()
        soon.join()


def test_m1_a_writer_that_hangs_is_not_waited_for_any_longer(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ASKED_STEPS", 3)
    ended, asked = threading.Event(), threading.Event()
    with older(writers, ended, asked=asked):
        assert writers.relieve(UPLOAD)
        assert writers.relieve(UPLOAD), "it is still there"


def test_an_upload_that_is_over_leaves_no_file(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path / "uploads")
    for clear in (parts.remove, parts.quarantine):
        parts.create(UPLOAD)
        with parts.writers.at_work(UPLOAD, lambda: None):
            assert parts.list() == [UPLOAD]
        clear(UPLOAD)
        assert parts.list() == []
