"""Several requests that write to one upload: the newest goes on, and nothing that came is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from server.errors import Problem
from server.extensions import db
from server.media import receiving, uploads
from server.media.receiving import WRITE_BYTES
from server.services import Services
from tests.pictures import draw
from tests.uploads import UPLOADS, Carrier, carriers

CONTENT = draw(900, 700)


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


def test_m1_a_newer_request_takes_over_and_the_older_one_stops(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    upload = rep.begin(photo, len(CONTENT)).rsplit("/", 1)[1]
    services: Services = app.extensions["fieldstamp"]
    half = len(CONTENT) // 2

    def ghost() -> Iterator[bytes]:
        yield CONTENT[:1000]
        with app.app_context():  # the phone is back on another network
            session = db.session()
            seen = uploads.find_upload(session, rep.device.user, upload)
            newer = uploads.take_over(session, services.media, seen)
            receiving.receive(session, services.media, newer, [CONTENT[:half]])
        yield CONTENT[1000:]

    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, upload)
        older = uploads.take_over(session, services.media, seen)
        with pytest.raises(Problem) as stopped:
            receiving.receive(session, services.media, older, ghost())
    assert stopped.value.code == "offset_mismatch"
    answer = rep.patch(f"{UPLOADS}/{upload}", half, CONTENT[half:])
    assert answer.headers["Upload-State"] == "verified"


def test_m1_who_only_asks_where_to_go_on_is_the_writer_from_then(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    services: Services = app.extensions["fieldstamp"]

    def ghost() -> Iterator[bytes]:
        yield CONTENT[:1000]
        assert rep.head(url).headers["Upload-Offset"] == "0"

    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        older = uploads.take_over(session, services.media, seen)
        with pytest.raises(Problem) as stopped:
            receiving.receive(session, services.media, older, ghost())
    assert stopped.value.code == "offset_mismatch"
    assert rep.patch(url, 0, CONTENT).headers["Upload-State"] == "verified"


def test_m1_a_newer_request_lets_the_older_one_keep_all_that_came(app: Flask, rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    services: Services = app.extensions["fieldstamp"]
    came, asked = threading.Event(), threading.Event()

    def stalled() -> Iterator[bytes]:
        yield CONTENT[:1000]
        came.set()
        asked.wait(60)

    def older() -> None:
        with app.app_context():
            session = db.session()
            seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
            leased = uploads.take_over(session, services.media, seen)
            receiving.receive(session, services.media, leased, stalled(), stop=asked.set)

    thread = threading.Thread(target=older)
    thread.start()
    assert came.wait(60)
    assert rep.head(url).headers["Upload-Offset"] == "1000"
    thread.join()
    assert rep.patch(url, 1000, CONTENT[1000:]).headers["Upload-State"] == "verified"


def test_m1_a_writer_that_has_written_before_never_writes_over_its_successor(
    app: Flask, rep: Carrier
) -> None:
    content = CONTENT + bytes(3 * WRITE_BYTES)
    url = rep.begin(rep.declare(content), len(content))
    services: Services = app.extensions["fieldstamp"]

    def ghost() -> Iterator[bytes]:
        yield b"\xee" * WRITE_BYTES
        with app.app_context():  # the phone is back on another network
            session = db.session()
            seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
            newer = uploads.take_over(session, services.media, seen)
            receiving.receive(session, services.media, newer, [content[: 3 * WRITE_BYTES]])
        yield b"\xee" * WRITE_BYTES

    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        older = uploads.take_over(session, services.media, seen)
        with pytest.raises(Problem) as stopped:
            receiving.receive(session, services.media, older, ghost())
    assert stopped.value.code == "offset_mismatch"
    rest = rep.patch(url, 3 * WRITE_BYTES, content[3 * WRITE_BYTES :])
    assert rest.headers["Upload-State"] == "verified"


def test_m3_a_writer_that_came_too_late_writes_nothing_to_what_is_a_blob(
    app: Flask, rep: Carrier, tmp_path: Path
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    media = app.extensions["fieldstamp"].media
    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])

        def late() -> Iterator[bytes]:
            (tmp_path / "blob").hardlink_to(media.parts.path(seen.id))
            yield CONTENT

        with pytest.raises(Problem) as stopped:
            receiving.receive(session, media, seen, late())
    assert stopped.value.code == "unavailable"
    assert (tmp_path / "blob").read_bytes() == b""
    assert rep.patch(url, 0, CONTENT).headers["Upload-State"] == "verified"


def test_who_asks_while_bytes_come_in_is_told_the_newest_offset(app: Flask, rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    services: Services = app.extensions["fieldstamp"]
    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        rep.patch(url, 0, CONTENT[:700])
        assert uploads.take_over(session, services.media, seen).received == 700
        with pytest.raises(Problem):
            uploads.take_over(session, services.media, seen, offset=seen.received)


def test_m1_of_two_writers_at_once_one_moves_the_offset(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    start, results = threading.Barrier(6), []

    def send() -> None:
        other = Carrier(app.test_client(), rep.device, rep.new_id)
        start.wait()
        results.append(other.patch(url, 0, CONTENT).status_code)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 204 in results
    assert set(results) <= {204, 409, 413}
    assert rep.head(url).headers["Upload-State"] == "verified"
    assert rep.read(photo).data == CONTENT
