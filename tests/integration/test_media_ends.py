"""How uploads come to their end where something went wrong just before it: no byte is given up that
counts, and none is waited for that will not come."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from server.db import transaction
from server.extensions import db
from server.media import sweep, uploads
from server.media.tables import Upload
from server.media.uploads import UploadStatus
from server.services import Services
from tests.company import FixedClock
from tests.pictures import draw
from tests.statements import counting
from tests.uploads import UPLOADS, Carrier, carriers, metadata, sha256_of

CONTENT = draw(900, 700)
HALF = len(CONTENT) // 2


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def own(app: Flask) -> Services:
    services: Services = app.extensions["fieldstamp"]
    return services


def name_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


def part_of(own: Services, url: str) -> Path:
    return own.media.parts.path(name_of(url))


def seen(rep: Carrier, url: str) -> UploadStatus:
    """The upload as a request sees it; needs an application context."""
    found = uploads.find_upload(db.session(), rep.device.user, name_of(url))
    db.session.remove()
    return found


def set_row(app: Flask, **values: Any) -> None:
    with app.app_context(), transaction(db.session()):
        db.session.execute(update(Upload).values(**values))


def test_m4_an_upload_whose_length_came_alone_is_finished_by_whoever_looks_at_it(
    app: Flask, rep: Carrier, own: Services
) -> None:
    photo = rep.declare(CONTENT)
    said = {"Upload-Defer-Length": "1", "Upload-Metadata": metadata({"photo": photo})}
    url = str(rep.ask("POST", UPLOADS, said).headers["Location"])
    rep.patch(url, 0, CONTENT)
    with app.app_context():  # and then no thread was free for the body of that request
        uploads.set_length(db.session(), own.media, seen(rep, url), len(CONTENT))
        db.session.remove()
    assert rep.head(url).headers["Upload-State"] == "verified", "a client has no more to send"
    assert rep.read(photo).data == CONTENT


def test_m4_a_whole_upload_whose_bytes_are_lost_is_gone_and_not_complete(
    app: Flask, rep: Carrier, own: Services
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="key")
    rep.patch(url, 0, CONTENT[:HALF])
    part_of(own, url).unlink()
    set_row(app, state="stored", received=len(CONTENT))
    assert rep.head(url).status_code == 410
    assert rep.send(photo, CONTENT, upload="key").headers["Upload-State"] == "verified"


def test_p8_a_whole_upload_that_the_disk_cannot_read_back_is_begun_anew(
    app: Flask, rep: Carrier, own: Services
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="key")
    rep.patch(url, 0, CONTENT[:HALF])
    part_of(own, url).unlink()
    part_of(own, url).symlink_to("/proc/self/mem")  # whose first byte is an error of the disk
    set_row(app, state="stored", received=len(CONTENT))
    own.media.hashes.take(name_of(url), place=0)
    assert rep.head(url).status_code == 410
    assert rep.send(photo, CONTENT, upload="key").headers["Upload-State"] == "verified"


def test_m1_an_upload_that_got_bytes_since_it_was_found_expired_goes_on(
    app: Flask, rep: Carrier, own: Services, clock: FixedClock
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    rep.patch(url, 0, CONTENT[:HALF])
    for lifetime, status in ((timedelta(days=7), 200), (timedelta(0), 410)):
        set_row(app, expires_at=clock.now() + lifetime)
        with app.app_context():
            uploads.expire(db.session(), own.media, seen(rep, url))
            db.session.remove()
        assert rep.head(url).status_code == status


def test_p8_an_upload_of_a_restored_store_whose_bytes_became_an_original_is_begun_anew(
    app: Flask, rep: Carrier, own: Services
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="key")
    rep.patch(url, 0, CONTENT[:HALF])
    with part_of(own, url).open("ab") as file:
        file.write(CONTENT[HALF:])
    own.media.disk.put_if_absent(part_of(own, url), sha256=sha256_of(CONTENT), given=True)
    with app.app_context(), transaction(db.session()):
        assert sweep.give_up_lost(db.session(), own.media.parts) == 1
    assert rep.head(url).status_code == 410
    assert rep.send(photo, CONTENT, upload="key").headers["Upload-State"] == "verified"


def test_p8_a_round_asks_once_about_many_part_files(
    app: Flask, rep: Carrier, own: Services
) -> None:
    photo = rep.declare(CONTENT)
    for _ in range(5):
        rep.patch(rep.begin(photo, len(CONTENT)), 0, CONTENT[:HALF])
    with app.app_context(), counting(db.engine) as count:
        assert sweep.clear_parts(db.session(), own.media) == 0
    assert len([one for one in count.statements if one.startswith("SELECT")]) == 1
