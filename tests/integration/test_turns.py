"""Writes that come at once are one transaction, and each of them is answered for itself."""

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import Connection, event, text

from server.db import AfterCommit
from server.extensions import db
from server.media.turns import Turns, Work
from server.services import Services
from tests.until import LIMIT_SECONDS, until


class Crowd:
    """Requests on threads of their own that write while one holds the turn."""

    def __init__(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        services: Services = app.extensions["fieldstamp"]
        self.turns: Turns = services.media.turns
        self.commits: list[object] = []
        self._app, self._pool = app, pool
        self._go_on, begun = Event(), Event()

        def hold(*_given: object) -> None:
            begun.set()
            assert self._go_on.wait(LIMIT_SECONDS)

        self.first = self._send(hold)
        assert begun.wait(LIMIT_SECONDS)

    def _send(self, work: Work[str] | Work[None]) -> Future[str | None]:
        def ask() -> str | None:
            with self._app.app_context():
                try:
                    return self.turns.run(db.session(), work)
                finally:
                    db.session.remove()

        return self._pool.submit(ask)

    def write(self, *works: Work[str]) -> list[Future[str | None]]:
        """What becomes of ``works``, which all wait before the turn is over."""
        asked = [self._send(work) for work in works]
        until(lambda: len(self.turns._waiting) == len(works))
        with self._app.app_context():
            event.listen(db.engine, "commit", self.commits.append)
            self._go_on.set()
            self.first.result(LIMIT_SECONDS)
        return asked


def note(word: str, heard: list[str]) -> Work[str]:
    """A work that writes ``word``, and tells it after the commit."""

    def work(connection: Connection, effects: AfterCommit) -> str:
        connection.execute(text("UPDATE upload SET type = :word WHERE id = :word"), {"word": word})
        effects.add(lambda: heard.append(word))
        return word

    return work


def fail(*_given: object) -> str:
    raise ValueError("this one cannot be written")


def test_p3_writes_that_come_at_once_reach_the_disk_together(app: Flask) -> None:
    heard: list[str] = []
    with ThreadPoolExecutor(5) as pool:
        crowd = Crowd(app, pool)
        asked = crowd.write(*[note(word, heard) for word in "abc"])
        assert [one.result(LIMIT_SECONDS) for one in asked] == ["a", "b", "c"]
    assert sorted(heard) == ["a", "b", "c"]
    assert len(crowd.commits) == 2, "one of whoever had the turn, one of all others"


def test_p8_a_write_that_fails_stands_in_no_others_way(app: Flask) -> None:
    heard: list[str] = []
    with ThreadPoolExecutor(5) as pool:
        crowd = Crowd(app, pool)
        good, bad, last = crowd.write(note("a", heard), fail, note("b", heard))
        with pytest.raises(ValueError, match="cannot be written"):
            bad.result(LIMIT_SECONDS)
        assert (good.result(LIMIT_SECONDS), last.result(LIMIT_SECONDS)) == ("a", "b")
    assert sorted(heard) == ["a", "b"]
