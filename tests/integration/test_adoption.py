"""After a restore, bytes still on the disk are taken again for whoever shows that they came.

The store is one that has forgotten an upload; the disk is as it was. Both databases.
"""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from server.db import transaction
from server.extensions import db
from server.sync.queries import find_record
from server.work.rounds import run_pending
from tests.pictures import draw
from tests.stores import settings_of
from tests.uploads import Carrier, carriers, sha256_of

CONTENT = draw(300, 200)
SHA256 = sha256_of(CONTENT)


@pytest.fixture
def reps(app: Flask) -> list[Carrier]:
    """Two colleagues."""
    return carriers(app, 2)


@pytest.fixture
def rep(reps: list[Carrier]) -> Carrier:
    return reps[0]


@pytest.fixture
def photo(app: Flask, rep: Carrier) -> str:
    """A photo that was verified."""
    photo = rep.declare(CONTENT)
    rep.send(photo, CONTENT)
    run_pending(app)
    return photo


def forget(app: Flask) -> None:
    """Loses every row about bytes."""
    with app.app_context(), transaction(db.session()):
        for table in ("picture", "arrival", "blob", "upload"):
            db.session.execute(text(f"DELETE FROM {table}"))


def ask(rep: Carrier, *shown: Any, **given: Any) -> Any:
    """The answer to ``have`` with acknowledgements."""
    asked = {"sha256": [SHA256], "acknowledgements": list(shown), **given}
    return rep.client.post("/v1/media/have", json=asked, headers=rep.device.headers)


def test_m4_bytes_without_a_row_are_taken_again_for_who_shows_the_acknowledgement(
    app: Flask, rep: Carrier, photo: str
) -> None:
    [kept] = rep.have(SHA256)
    forget(app)
    assert rep.have(SHA256) == []
    [again] = ask(rep, kept).json["acknowledgements"]
    assert again["photo"] == photo
    assert rep.read(photo).data == CONTENT
    with app.app_context():
        record = find_record(db.session(), photo)
        assert record is not None
        assert record.data["state"] == "verified"
    assert rep.have(SHA256) == [again]


@pytest.mark.parametrize(
    "changed",
    [{"sig": "x"}, {"bytes": 1}, {"photo": "0"}, {"sha256": "0" * 64}, {"epoch": "e-00000000"}],
)
def test_m4_an_acknowledgement_that_this_server_did_not_give_brings_nothing(
    app: Flask, rep: Carrier, photo: str, changed: dict[str, Any]
) -> None:
    [kept] = rep.have(SHA256)
    forget(app)
    assert ask(rep, kept | changed).json["acknowledgements"] == []
    assert ask(rep, {**kept, "more": 1}, {}).json["acknowledgements"] == []


def test_p5_an_acknowledgement_of_another_user_brings_nothing(
    app: Flask, photo: str, reps: list[Carrier]
) -> None:
    """The colleague even declared a photo of the same bytes."""
    rep, other = reps
    [kept] = rep.have(SHA256)
    other.declare(CONTENT)
    forget(app)
    assert ask(other, kept).json["acknowledgements"] == []
    assert rep.have(SHA256) == other.have(SHA256) == []


def test_m4_bytes_that_changed_on_the_disk_are_not_taken(
    app: Flask, rep: Carrier, photo: str
) -> None:
    [kept] = rep.have(SHA256)
    forget(app)
    path = settings_of(app).data / "blobs" / SHA256[:2] / SHA256[2:4] / SHA256
    path.chmod(0o600)
    path.write_bytes(CONTENT[:-1] + b"\x00")
    assert ask(rep, kept).json["acknowledgements"] == []
    path.unlink()
    assert ask(rep, kept).json["acknowledgements"] == []


@pytest.mark.parametrize("shown", ["x", ["x"], [{}] * 501])
def test_what_is_no_list_of_acknowledgements_is_refused(rep: Carrier, shown: Any) -> None:
    assert ask(rep, acknowledgements=shown).status_code == 422
