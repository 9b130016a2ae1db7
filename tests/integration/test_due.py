"""A round of the worker looks at what is due, and not at all that there ever was."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, insert, text

from server.db import Base, transaction
from server.extensions import db
from server.media import pictures
from server.media.tables import Arrival, Blob, Upload
from server.outward.tables import Delivery, Event, Hook
from server.services import Services
from server.work.rounds import STEPS, run_round

MANY = 5000
GROWING = ("arrival", "blob", "delivery", "event", "upload")

Asked = list[tuple[str, Any]]
"""Statements with what was given to them."""


def fill(now: datetime) -> None:
    """A store in which nothing is due: all of it is done with, or waits."""
    soon = now + timedelta(minutes=30)
    hook = {"id": "hook", "url": "https://a.example/", "types": "[]", "kinds": "[]"}
    hook |= {"secret": "", "token_hash": ""}
    put(Hook, [{**hook, "created_at": now}])
    put(Event, [happened(n, now) for n in range(1, MANY + 1)])
    under_way = {"hook": "hook", "expires_at": soon, "tries": 1, "answer": "", "arrived": False}
    half = MANY // 2
    settled = [now if n < half else None for n in range(MANY)]
    put(
        Delivery,
        [
            {**under_way, "event": n + 1, "next_at": soon, "settled_at": at}
            for n, at in enumerate(settled)
        ],
    )
    put(Blob, [seen(n, now) for n in range(MANY)])
    brought = {"user": "u", "part": "original", "state": "verified", "at": now, "turn": 1}
    put(
        Arrival,
        [
            {**brought, "photo": str(n), "sha256": f"{n:064x}", "due_at": at and soon, "tries": 1}
            for n, at in enumerate(settled)
        ],
    )
    put(Upload, [upload(n, now) for n in range(MANY)])


def put(table: type[Base], rows: list[dict[str, Any]]) -> None:
    with transaction(db.session()):
        db.session.execute(insert(table), rows)


def happened(number: int, now: datetime) -> dict[str, Any]:
    """Every second event was issued; the others wait for a photo."""
    issued = number % 2 == 0
    return {
        "key": number,
        "id": str(number),
        "seq": number if issued else None,
        "type": "case.created",
        "record": str(number),
        "at": "",
        "facts": "{}",
        "not_before": now,
        "waits_for": "" if issued else "[{}]",
        "body": None,
        "issued_at": now if issued else None,
    }


def seen(number: int, now: datetime) -> dict[str, Any]:
    moments = {"placed_at": now, "hashed_at": now}
    return {"sha256": f"{number:064x}", "bytes": 1, "content": "readable", **moments}


def upload(number: int, now: datetime) -> dict[str, Any]:
    """One of a hundred is under way."""
    name, under_way = str(number), number % 100 == 0
    whose = {"id": name, "upload": name, "user": "u", "photo": name, "part": "original"}
    what = {"sha256": "", "type": "", "length": 9, "partial": False, "received": 1, "lease": 0}
    expires_at = now + timedelta(days=7) if under_way else now
    state = "open" if under_way else "verified"
    return {**whose, **what, "state": state, "created_at": now, "expires_at": expires_at}


@contextmanager
def asking(engine: Engine) -> Iterator[Asked]:
    """What is asked meanwhile."""
    asked: Asked = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, given))

    event.listen(engine, "after_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "after_cursor_execute", note)


def steps_of(asked: Asked) -> list[str]:
    """The steps of the plans of all that was asked."""
    explain = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
    with db.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"{explain} {one}", given) for one, given in asked]
        return [f"{step[-1]} " for plan in plans for step in plan]


def is_whole(step: str) -> bool:
    """Whether it goes through all of a table that grows with the work."""
    wholes = ("SCAN", "Seq Scan on")
    return any(f"{whole} {name} " in step for whole in wholes for name in GROWING)


def test_p8_a_round_goes_through_nothing_that_is_not_due(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_has_heic", lambda: True)
    run_round(app)  # what is done once a day
    own: Services = app.extensions["fieldstamp"]
    with app.app_context():
        fill(own.clock.now())
        if db.engine.dialect.name == "postgresql":
            with transaction(db.session()):
                db.session.execute(text("ANALYZE"))
        with asking(db.engine) as asked:
            assert [step(db.session(), own) for step in STEPS] == [0] * len(STEPS)
        db.session.remove()
        steps = steps_of(asked)
    assert [step for step in steps if is_whole(step)] == []
    for index in ("ix_delivery_due", "ix_event_ripe"):
        assert any(f" {index} " in step for step in steps), index
