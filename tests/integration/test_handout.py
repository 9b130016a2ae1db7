"""Bytes on their way out: by record right or by a link, whole or in part, safe to open, noted."""

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from server.extensions import db
from server.media.disk import DiskBlobs
from server.people.tables import AuditEntry
from server.services import Services
from server.work.rounds import run_pending
from tests.company import FixedClock
from tests.pictures import draw
from tests.uploads import Carrier, carriers, sha256_of

CONTENT = draw(900, 700)


@pytest.fixture
def reps(app: Flask) -> list[Carrier]:
    """Two reps of one region."""
    return carriers(app, 2)


@pytest.fixture
def rep(reps: list[Carrier]) -> Carrier:
    return reps[0]


@pytest.fixture
def photo(app: Flask, rep: Carrier) -> str:
    """A photo that the server has looked into."""
    photo = rep.declare(CONTENT)
    rep.send(photo, CONTENT)
    run_pending(app)
    return photo


def looks(app: Flask) -> list[tuple[str | None, str | None]]:
    """Who was shown which original."""
    with app.app_context():
        wanted = select(AuditEntry).where(AuditEntry.what == "original_seen")
        found = db.session.scalars(wanted.order_by(AuditEntry.key)).all()
        return [(entry.user, entry.record) for entry in found]


def link_to(rep: Carrier, photo: str, form: str = "original") -> TestResponse:
    return rep.client.post(f"/v1/media/{photo}/{form}/link", headers=rep.device.headers)


@pytest.mark.parametrize("form", ["original", "preview", "thumbnail"])
def test_what_is_handed_out_is_never_taken_for_a_page(rep: Carrier, photo: str, form: str) -> None:
    answer = rep.read(photo, form)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.content_type == "image/jpeg"
    attached = answer.headers.get("Content-Disposition", "")
    assert attached == (f"attachment; filename={photo}" if form == "original" else "")


@pytest.mark.parametrize(
    ("wish", "status", "part"),
    [
        ("bytes=0-0", 206, CONTENT[:1]),
        ("bytes=10-1009", 206, CONTENT[10:1010]),
        ("bytes=1000-", 206, CONTENT[1000:]),
        ("bytes=-7", 206, CONTENT[-7:]),
        ("bytes=0-99999999", 206, CONTENT),
        ("bytes=99999999-", 416, None),
        ("nonsense", 416, None),
    ],
)
def test_a_range_is_just_these_bytes(
    rep: Carrier, photo: str, wish: str, status: int, part: bytes | None
) -> None:
    answer = rep.read(photo, Range=wish)
    assert answer.status_code == status
    if part is not None:
        assert answer.data == part
        assert answer.content_length == len(part)


def test_what_is_known_already_is_not_read_again(
    app: Flask, rep: Carrier, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = rep.read(photo).headers["ETag"]

    def fail(*_given: object) -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(DiskBlobs, "open_range", fail)
    answer = rep.read(photo, **{"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")
    head = rep.client.head(f"/v1/media/{photo}/original", headers=rep.device.headers)
    assert (head.status_code, head.content_length) == (200, len(CONTENT))


def test_bytes_that_the_disk_has_lost_are_not_found_and_no_failure(
    app: Flask, rep: Carrier, photo: str
) -> None:
    services: Services = app.extensions["fieldstamp"]
    services.media.disk.delete(sha256_of(CONTENT))
    assert rep.read(photo).status_code == 404
    assert rep.read(photo, "preview").status_code == 200


def test_k4_each_look_at_an_original_is_noted_once(
    app: Flask, rep: Carrier, photo: str, clock: FixedClock
) -> None:
    rep.read(photo, "preview")
    assert looks(app) == []
    for _ in range(3):
        rep.read(photo, Range="bytes=10-20")
    assert looks(app) == [(rep.device.user, photo)]
    clock.advance(minutes=9)
    rep.read(photo)
    assert len(looks(app)) == 1
    clock.advance(minutes=0, seconds=59)
    assert rep.read(photo).status_code == 200
    assert len(looks(app)) == 1


def test_p5_neither_bytes_nor_links_nor_notes_for_whoever_may_not_see_the_record(
    app: Flask, reps: list[Carrier], photo: str
) -> None:
    stranger = reps[1]
    unknown = stranger.new_id()
    for form in ("original", "preview"):
        foreign, none = link_to(stranger, photo, form), link_to(stranger, unknown, form)
        assert (foreign.status_code, none.status_code) == (404, 404)
        assert stranger.read(photo, form).status_code == 404
    assert looks(app) == []


@pytest.mark.parametrize("form", ["original", "preview", "thumbnail"])
def test_a_link_gives_one_object_to_anybody_for_a_minute(
    app: Flask, rep: Carrier, photo: str, clock: FixedClock, form: str
) -> None:
    told = link_to(rep, photo, form).json
    assert told is not None
    assert looks(app) == ([(rep.device.user, photo)] if form == "original" else [])
    anybody = app.test_client()
    answer = anybody.get(told["url"], buffered=True)
    assert answer.data == rep.read(photo, form).data
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (
        anybody.get(told["url"], headers={"Range": "bytes=3-5"}, buffered=True).data
        == answer.data[3:6]
    )
    clock.advance(seconds=59)
    assert anybody.get(told["url"], buffered=True).status_code == 200
    clock.advance(seconds=1)
    assert anybody.get(told["url"], buffered=True).status_code == 404


def test_p5_a_link_that_was_touched_gives_nothing(app: Flask, rep: Carrier, photo: str) -> None:
    told = link_to(rep, photo).json
    assert told is not None
    url = str(told["url"])
    anybody = app.test_client()
    for place in range(len("/v1/media/links/"), len(url) - 1, 7):
        letter = "A" if url[place] != "A" else "B"
        assert anybody.get(url[:place] + letter + url[place + 1 :]).status_code == 404
    assert anybody.get("/v1/media/links/x").status_code == 404
