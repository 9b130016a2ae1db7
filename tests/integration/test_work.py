"""The queue of wake-ups and the rounds of the worker, on both databases."""

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from flask import Flask
from huey import Huey
from sqlalchemy import text
from sqlalchemy.orm import Session

from server.db import transaction
from server.extensions import db
from server.media.engine import Media
from server.media.pictures import examine_blob, list_unexamined
from server.settings import Settings
from server.work import rounds, worker
from server.work.queue import JsonSerializer, open_queue, register, send_wake_up
from server.work.worker import EveryFewSeconds
from tests.company import FixedClock
from tests.pictures import draw
from tests.uploads import carriers


@pytest.fixture
def queue(settings: Settings) -> Iterator[Huey]:
    queue = open_queue(settings)
    yield queue
    queue.storage.close()


def run_one(queue: Huey) -> bool:
    """What a worker thread does with the next message; whether there was one."""
    queue.storage.blocking = False
    task = queue.dequeue()
    if task is not None:
        queue.execute(task)
    return task is not None


def test_a_wake_up_reaches_a_worker_of_the_same_store(settings: Settings, queue: Huey) -> None:
    done: list[str] = []
    register(queue, lambda: done.append("looked"))
    send_wake_up(settings)
    assert run_one(queue)
    assert done == ["looked"]
    assert not run_one(queue)


def test_messages_are_data_and_never_code(settings: Settings, queue: Huey) -> None:
    register(queue, lambda: None)
    send_wake_up(settings)
    [message] = queue.storage.enqueued_items()
    assert json.loads(bytes(message))["name"].endswith("look")
    with pytest.raises(orjson.JSONDecodeError):
        JsonSerializer().deserialize(pickle.dumps({"name": "look"}))


@pytest.mark.parametrize("database", ["", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_queue_that_cannot_be_reached_costs_only_the_hint(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work.sqlite").mkdir()  # no file can be opened under this name
    send_wake_up(Settings(data=tmp_path, database=database))
    assert "wake_up_lost" in "".join(capsys.readouterr())


def test_an_upload_that_is_verified_wakes_the_worker(
    app: Flask, settings: Settings, queue: Huey
) -> None:
    register(queue, lambda: rounds.run_round(app))
    [rep] = carriers(app)
    rep.send(rep.declare(draw()), draw())
    assert len(queue) == 1
    assert run_one(queue)
    with app.app_context():
        assert db.session.scalar(text("SELECT content FROM blob")) == "readable"


def test_the_sweep_comes_without_any_hint_every_ten_seconds(queue: Huey) -> None:
    done: list[str] = []
    register(queue, lambda: done.append("swept"))
    scheduler = EveryFewSeconds(queue, stop_flag=None, interval=1, periodic=True)
    scheduler.enqueue_periodic_tasks(None)
    assert run_one(queue)
    assert done == ["swept"]
    assert scheduler.periodic_task_seconds == 10


def test_p8_a_step_that_fails_keeps_no_other_from_running(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> int:
        raise OSError("the disk is gone")

    [rep] = carriers(app)
    rep.send(rep.declare(draw()), draw())
    monkeypatch.setattr(rounds, "STEPS", (fail, *rounds.STEPS))
    rounds.run_pending(app)
    with app.app_context():
        assert db.session.scalar(text("SELECT content FROM blob")) == "readable"


def readable() -> int:
    return int(db.session.scalar(text("SELECT count(*) FROM blob WHERE content = 'readable'")) or 0)


def test_p8_many_photos_hold_up_nothing_else_that_is_due(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    [rep] = carriers(app)
    photos = [draw(seed=seed) for seed in range(1, 5)]
    for content in photos:
        rep.send(rep.declare(content), content, upload=str(photos.index(content)))
    monkeypatch.setattr(rounds, "STEP_SECONDS", 0.0)
    first = list_names(app)[0]
    monkeypatch.setattr(rounds, "examine_blob", failing_on(first))
    with app.app_context():
        for done in (1, 2, 3):
            rounds.run_round(app)
            assert readable() == done, "one that fails is no reason to stop, and another one is"
            db.session.rollback()
    monkeypatch.undo()
    rounds.run_pending(app)
    with app.app_context():
        assert readable() == len(photos)


def test_p8_photos_that_nobody_can_look_into_hold_up_no_deadline(
    app: Flask, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    [rep] = carriers(app)
    for content in (b"a", b"b", b"c", b"d"):
        rep.send(rep.declare(content), content)
    tried: list[str] = []

    def fail(_session: Session, _media: Media, sha256: str) -> None:
        tried.append(sha256)
        clock.advance(seconds=rounds.STUCK_SECONDS / 2)
        raise OSError("no process can be had")

    monkeypatch.setattr(rounds, "examine_blob", fail)
    rounds.run_round(app)
    assert len(tried) == 2


def list_names(app: Flask) -> list[str]:
    with app.app_context():
        return list_unexamined(db.session())


def failing_on(bad: str) -> Callable[..., None]:
    def examine(session: Session, media: Media, sha256: str) -> None:
        if sha256 == bad:
            raise OSError("not this one")
        examine_blob(session, media, sha256)

    return examine


def test_one_round_answers_all_hints_before_it_and_another_follows_where_it_found_work(
    settings: Settings, queue: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [3, 1, 0]
    monkeypatch.setattr(worker, "run_round", lambda _app: found.pop(0))
    worker.attend(queue, Flask("any"))
    for _ in range(5):
        send_wake_up(settings)
    assert [run_one(queue) for _ in range(4)] == [True, True, True, False]
    assert found == []


def test_p4_the_round_numbers_what_no_pull_has_numbered(app: Flask) -> None:
    [rep] = carriers(app)
    rep.declare(draw())
    rounds.run_pending(app)
    with app.app_context(), transaction(db.session()):
        assert db.session.scalar(text("SELECT count(*) FROM feed WHERE seq IS NULL")) == 0
        assert db.session.scalar(text("SELECT count(*) FROM feed")) > 0
