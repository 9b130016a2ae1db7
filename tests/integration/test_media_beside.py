"""One upload in the hands of two server processes: two applications stand for them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import pytest
from flask import Flask
from sqlalchemy import event, text

from server.errors import Problem
from server.extensions import db
from server.media import receiving, uploads
from server.services import Services
from server.settings import Settings
from tests.pictures import draw
from tests.until import LIMIT_SECONDS, until
from tests.uploads import Carrier, carriers

CONTENT = draw(900, 700)
HALF = len(CONTENT) // 2


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def there(beside: Flask, rep: Carrier) -> Carrier:
    """The same device, which reaches the other process."""
    return Carrier(beside.test_client(), rep.device, rep.new_id)


def write(app: Flask, rep: Carrier, url: str, pieces: Iterator[bytes]) -> None:
    """Receives ``pieces`` in ``app`` as the newest writer of an upload."""
    services: Services = app.extensions["fieldstamp"]
    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        leased = uploads.take_over(session, services.media, seen)
        receiving.receive(session, services.media, leased, pieces)


def test_m1_a_writer_stops_when_a_newer_request_reaches_another_process(
    app: Flask, beside: Flask, rep: Carrier, there: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))

    def ghost() -> Iterator[bytes]:
        yield b"\xee" * 1000
        write(beside, rep, url, iter([CONTENT[:HALF]]))  # the phone is back on another network
        yield b"\xee" * len(CONTENT[1000:])

    with pytest.raises(Problem) as stopped:
        write(app, rep, url, ghost())
    assert stopped.value.code == "offset_mismatch"
    assert rep.head(url).headers["Upload-Offset"] == str(HALF)
    assert there.patch(url, HALF, CONTENT[HALF:]).headers["Upload-State"] == "verified"
    assert rep.read(photo).data == CONTENT


def at_once(*sends: Carrier, url: str) -> list[int]:
    """The statuses of whole PATCHes that begin at the same moment."""
    start, told = threading.Barrier(len(sends)), list[int]()

    def send(carrier: Carrier) -> None:
        start.wait()
        told.append(carrier.patch(url, 0, CONTENT).status_code)

    threads = [threading.Thread(target=send, args=(carrier,)) for carrier in sends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_m1_of_patches_at_once_through_two_processes_the_offset_counts_one(
    app: Flask, beside: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    sends = [
        Carrier(one.test_client(), rep.device, rep.new_id) for one in (app, beside, app, beside)
    ]
    assert set(at_once(*sends, url=url)) <= {204, 409, 413, 503}
    offset = int(rep.head(url).headers["Upload-Offset"])
    if offset < len(CONTENT):
        rep.patch(url, offset, CONTENT[offset:])
    assert rep.head(url).headers["Upload-State"] == "verified"
    assert rep.read(photo).data == CONTENT


def test_m4_an_upload_that_one_process_left_stored_is_finished_by_another_and_once(
    app: Flask, beside: Flask, rep: Carrier, there: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    rep.patch(url, 0, CONTENT[:HALF])
    write(app, rep, url, iter([CONTENT[HALF:]]))
    assert [one.head(url).headers["Upload-State"] for one in (there, rep)] == ["verified"] * 2
    assert rep.read(photo).data == there.read(photo).data == CONTENT


@pytest.mark.parametrize("spoilt", [False, True])
def test_m2_pieces_that_reach_either_process_are_hashed_as_they_lie(
    rep: Carrier, there: Carrier, spoilt: bool
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    sent = CONTENT[:HALF] + b"?" + CONTENT[HALF + 1 :] if spoilt else CONTENT
    size = len(CONTENT) // 6 + 1
    for number, place in enumerate(range(0, len(sent), size)):
        carrier = (rep, rep, there, rep, rep, rep)[number]
        answer = carrier.patch(url, place, sent[place : place + size])
    assert (answer.status_code, answer.headers["Upload-State"]) == (
        (460, "refused") if spoilt else (204, "verified")
    )


class TestOneUploadEach:
    """A server that lets everybody hold one."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, open_uploads=1)

    @pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # SQLite has one writer
    def test_attack_16_two_processes_count_the_uploads_of_a_person_one_after_the_other(
        self, app: Flask, beside: Flask, rep: Carrier, there: Carrier
    ) -> None:
        photo = rep.declare(CONTENT)
        with ThreadPoolExecutor(2) as pool:
            with held_where_written(app) as asked:
                here = pool.submit(lambda: rep.create(photo, 1).status_code)
                assert asked.wait(LIMIT_SECONDS)
                other = pool.submit(lambda: there.create(photo, 1).status_code)
                until(lambda: other.done() or waits_for_a_lock(beside))
            assert (here.result(LIMIT_SECONDS), other.result(LIMIT_SECONDS)) == (201, 429)


@contextmanager
def held_where_written(app: Flask) -> Iterator[threading.Event]:
    """Holds ``app`` where it has written an upload; yields what is set once it has come so far."""
    asked, go_on = threading.Event(), threading.Event()

    def hold(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO upload"):
            asked.set()
            assert go_on.wait(LIMIT_SECONDS)

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", hold)
    try:
        yield asked
    finally:
        go_on.set()


def waits_for_a_lock(app: Flask) -> bool:
    """Whether somebody waits for another transaction of the store of ``app``."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with app.app_context(), db.engine.connect() as connection:
        return bool(connection.execute(waiting).scalar_one())
