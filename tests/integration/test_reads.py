"""Rules that look beyond one record and its parent: what they read is there, and is of now."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from server.app import create_app, open_store
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.extensions import db
from server.ids import IdMaker
from server.settings import Settings
from server.sync.kinds import Change, Data, FieldErrors
from tests.company import Company, FixedClock
from tests.domain.test_outside_kind import RACK, place
from tests.phone import Phone


class Board(shapes.Shape):
    rack = shapes.reference("货架", "Rack", "rack", required=True)
    at_cm = shapes.integer("高度", "Height", least=1, required=True)
    flags = shapes.flags({})


def below_the_top(change: Change, _parent: Data | None) -> FieldErrors:
    """A board hangs on a rack, not above it."""
    rack = change.read[change.after["rack"]]
    return {"at_cm": "too_big:0"} if change.after["at_cm"] > rack["height_cm"] else {}


BOARD = kind_from_schema(
    Board,
    "board",
    zh="层板",
    en="Board",
    place=place,
    reads=frozenset({"rack"}),
    check=below_the_top,
)


@pytest.fixture
def app(settings: Settings, clock: FixedClock) -> Iterator[Flask]:
    """A server that also knows racks and boards."""
    ids = IdMaker(clock, random.Random(20261122).getrandbits)
    app = create_app(settings, clock=clock, ids=ids, kinds=(RACK, BOARD))
    open_store(app)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def phone(app: Flask, company: Company) -> Phone:
    """A rep's phone."""
    return Phone(app.test_client(), company.rep())


def rack(phone: Phone, height: int) -> dict[str, Any]:
    """A rack that the server has."""
    made = phone.create("rack", {"shelf": "A", "height_cm": height})
    phone.push(made)
    return made


def test_a_rule_reads_the_record_that_a_new_one_names(phone: Phone) -> None:
    tall = rack(phone, 200)
    results = phone.push(
        phone.create("board", {"rack": tall["record"], "at_cm": 180}),
        phone.create("board", {"rack": tall["record"], "at_cm": 220}),
    )
    assert [one["outcome"] for one in results] == ["applied", "rejected"]


def test_a_rule_reads_what_a_record_named_before(phone: Phone) -> None:
    tall = rack(phone, 200)
    board = phone.create("board", {"rack": tall["record"], "at_cm": 180})
    phone.push(board)
    [told] = phone.push(phone.patch(board, 1, {"at_cm": 201}))
    assert told["outcome"] == "rejected"


def test_a_rule_reads_what_the_same_batch_wrote_before(phone: Phone) -> None:
    tall = rack(phone, 200)
    results = phone.push(
        phone.patch(tall, 1, {"height_cm": 100}),
        phone.create("board", {"rack": tall["record"], "at_cm": 180}),
    )
    assert [one["outcome"] for one in results] == ["applied", "rejected"]
