"""The writes of two server processes on one PostgreSQL: two applications stand for them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from server.db import AfterCommit
from server.extensions import db
from server.media.turns import Turns, Work
from tests.until import LIMIT_SECONDS, until

NOTED = text(
    "INSERT INTO blob (sha256, bytes, placed_at, hashed_at)"
    " VALUES (:sha256, 1, now(), now()) ON CONFLICT DO NOTHING"
)


def run(app: Flask, work: Work[str]) -> str:
    """What one request of ``app`` is answered."""
    with app.app_context():
        try:
            return turns_of(app).run(db.session(), work)
        finally:
            db.session.remove()


def turns_of(app: Flask) -> Turns:
    turns: Turns = app.extensions["fieldstamp"].media.turns
    return turns


def note(name: str, *meetings: Barrier) -> Work[str]:
    """Notes a file; the first time not before another batch stands where this one does."""
    ahead = list(meetings)

    def work(connection: Connection, _effects: AfterCommit) -> str:
        while ahead:
            ahead.pop().wait(LIMIT_SECONDS)
        connection.execute(NOTED, {"sha256": name})
        return name

    return work


def at_once(app: Flask, *works: Work[str]) -> list[str]:
    """What requests are answered whose writes are one batch, in this order."""
    begun, go_on = Event(), Event()

    def hold(_connection: Connection, _effects: AfterCommit) -> str:
        begun.set()
        assert go_on.wait(LIMIT_SECONDS)
        return ""

    with ThreadPoolExecutor(1 + len(works)) as pool:
        pool.submit(run, app, hold)
        assert begun.wait(LIMIT_SECONDS)
        asked = []
        for work in works:
            asked.append(pool.submit(run, app, work))
            until(lambda: len(turns_of(app)._waiting) == len(asked))
        go_on.set()
        return [one.result(LIMIT_SECONDS) for one in asked]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_p8_batches_of_two_processes_that_wait_for_each_other_are_written_all_the_same(
    app: Flask, beside: Flask
) -> None:
    both = Barrier(2)
    here = partial(at_once, app, note("x"), note("y", both))
    there = partial(at_once, beside, note("y"), note("x", both))
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(here), pool.submit(there)]
        assert [one.result(LIMIT_SECONDS) for one in asked] == [["x", "y"], ["y", "x"]]
