"""The fifteenth bad input: right bytes under wrong claims, and a store that fails meanwhile.

An upload is refused for a wrong hash only; everything else is stored, with a verdict.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from server.extensions import db
from server.media.blobs import Placed
from server.media.disk import DiskBlobs
from server.media.pictures import list_unexamined
from server.services import Services
from server.sync.queries import find_record, history
from server.work.rounds import run_pending
from tests.phone import Phone
from tests.pictures import draw
from tests.uploads import Carrier, carriers, photo_values, receipt_values, sha256_of

CONTENT = draw(640, 480)


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


def data_of(app: Flask, photo: str) -> dict[str, Any]:
    with app.app_context():
        record = find_record(db.session(), photo)
    assert record is not None
    return record.data


def seal_of(app: Flask, photo: str) -> str:
    with app.app_context():
        return history(db.session(), photo)[0].seal


class Failing(DiskBlobs):
    """A store that is out of order: every new blob is an error of the disk."""

    def __init__(self, root: Path, number: int) -> None:
        super().__init__(root)
        self._number = number

    def put_if_absent(self, _source: Path, *, sha256: str, **_more: object) -> Placed:
        raise OSError(self._number, "the disk says no", sha256)

    def put_bytes(self, _content: bytes) -> Placed:
        raise OSError(self._number, "the disk says no")


@contextmanager
def out_of_order(app: Flask, store: str, number: int) -> Iterator[None]:
    """The store ``originals`` or ``pictures`` fails with that error number."""
    whole: Services = app.extensions["fieldstamp"]
    root = whole.settings.data / {"originals": "blobs", "pictures": "pictures"}[store]
    media = replace(whole.media, **{store: Failing(root, number)})
    app.extensions["fieldstamp"] = replace(whole, media=media)
    yield
    app.extensions["fieldstamp"] = whole


def test_bad_input_15_bytes_of_another_hash_are_refused_and_the_right_ones_taken(
    app: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    wrong = draw(640, 480, seed=2)
    answer = rep.send(photo, wrong, upload="first")
    assert (answer.status_code, answer.headers["Upload-State"]) == (460, "refused")
    run_pending(app)
    assert data_of(app, photo)["state"] == "refused"
    assert rep.have(sha256_of(wrong), sha256_of(CONTENT)) == []
    assert rep.send(photo, CONTENT, upload="second").status_code == 204
    run_pending(app)
    assert data_of(app, photo)["state"] == "verified"
    assert rep.read(photo).data == CONTENT


def test_bad_input_15_a_photo_under_a_broken_seal_is_stored_with_that_verdict(
    app: Flask, rep: Carrier
) -> None:
    phone = Phone(app.test_client(), rep.device)
    receipt = phone.create("receipt", receipt_values())
    photo = phone.create("photo", photo_values(receipt["record"], CONTENT))
    photo["set"] = {**photo["set"], "tag": "other"}  # not what was sealed
    assert [result["outcome"] for result in phone.push(receipt, photo)] == ["applied", "applied"]
    assert seal_of(app, photo["record"]) == "broken"
    assert rep.send(photo["record"], CONTENT).status_code == 204
    run_pending(app)
    assert data_of(app, photo["record"])["content"] == "readable"


def test_bad_input_15_a_seal_of_another_device_or_another_photo_is_broken_and_nothing_is_lost(
    app: Flask,
) -> None:
    first, second = carriers(app, 2)
    one, two = (Phone(app.test_client(), rep.device) for rep in (first, second))
    receipt = one.create("receipt", receipt_values())
    theirs = two.create("receipt", receipt_values())
    photo = two.create("photo", photo_values(theirs["record"], CONTENT))
    replayed = two.create("photo", photo_values(theirs["record"], CONTENT))
    replayed["seal"] = photo["seal"]
    photo["seal"] = receipt["seal"]
    assert one.push(receipt)[0]["outcome"] == "applied"
    assert {result["outcome"] for result in two.push(theirs, photo, replayed)} == {"applied"}
    for made in (photo, replayed):
        assert seal_of(app, made["record"]) in {"broken", "gap"}
        assert second.send(made["record"], CONTENT, upload=made["record"]).status_code == 204
    run_pending(app)
    for made in (photo, replayed):
        assert data_of(app, made["record"])["state"] == "verified"
        assert first.read(made["record"]).status_code == 404


@pytest.mark.parametrize("captured", ["1970-01-01T00:00:00Z", "2099-12-31T23:59:59+14:00"])
def test_bad_input_15_a_clock_that_is_far_off_is_noted_and_decides_nothing(
    app: Flask, rep: Carrier, captured: str
) -> None:
    photo = rep.declare(CONTENT, captured=captured)
    assert rep.send(photo, CONTENT).status_code == 204
    run_pending(app)
    data = data_of(app, photo)
    assert (data["captured"], data["state"], data["content"]) == (captured, "verified", "readable")


def test_bad_input_15_a_photo_of_somebody_elses_record_gets_no_bytes(app: Flask) -> None:
    mine, other = carriers(app, 2)
    photo = mine.declare(CONTENT)
    assert other.create(photo, len(CONTENT)).status_code == 404
    assert mine.send(photo, CONTENT).status_code == 204


def finishing(rep: Carrier, photo: str) -> tuple[str, TestResponse]:
    url = rep.begin(photo, len(CONTENT))
    return url, rep.patch(url, 0, CONTENT)


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EIO, 503)], ids=["full", "broken"]
)
def test_bad_input_15_a_store_that_fails_in_the_middle_of_the_move_loses_no_byte(
    app: Flask, rep: Carrier, number: int, status: int
) -> None:
    photo = rep.declare(CONTENT)
    with out_of_order(app, "originals", number):
        url, answer = finishing(rep, photo)
        assert (answer.status_code, "Retry-After" in answer.headers) == (status, True)
        assert rep.head(url).headers["Upload-Offset"] == str(len(CONTENT))
        run_pending(app)
        assert rep.have(sha256_of(CONTENT)) == []
    run_pending(app)
    assert rep.head(url).headers["Upload-State"] == "verified"
    assert rep.read(photo).data == CONTENT
    assert data_of(app, photo)["content"] == "readable"


def test_bad_input_15_a_preview_that_cannot_be_stored_is_made_later(
    app: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    with out_of_order(app, "pictures", errno.ENOSPC):
        assert rep.send(photo, CONTENT).status_code == 204
        run_pending(app)
        assert data_of(app, photo)["state"] == "verified"
        assert "content" not in data_of(app, photo)
        with app.app_context():
            assert list_unexamined(db.session()) == [sha256_of(CONTENT)]
    run_pending(app)
    assert data_of(app, photo)["content"] == "readable"
    assert rep.read(photo, "preview").status_code == 200
