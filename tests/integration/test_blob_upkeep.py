"""What becomes of blobs in time: hashed again, and removed where nothing names them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from server.db import transaction
from server.extensions import db
from server.media.garbage import Garbage, collect
from server.media.rehash import rehash_blobs
from server.media.tables import Blob, Orphan
from server.services import Services
from server.sync.queries import find_record
from server.work.rounds import run_pending
from tests.company import FixedClock
from tests.uploads import Carrier, carriers, sha256_of

CONTENT = b"\xff\xd8\xff" + b"not quite a picture " * 5000
SHA256 = sha256_of(CONTENT)


@pytest.fixture
def own(app: Flask) -> Services:
    services: Services = app.extensions["fieldstamp"]
    return services


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def photo(app: Flask, rep: Carrier) -> str:
    """A photo whose bytes have come."""
    photo = rep.declare(CONTENT)
    assert rep.send(photo, CONTENT).headers["Upload-State"] == "verified"
    run_pending(app)
    return photo


@pytest.fixture
def file(own: Services, photo: str) -> Path:
    """Where the bytes of ``photo`` are."""
    return own.media.disk.path(SHA256)


def spoil(file: Path) -> None:
    file.chmod(0o600)
    file.write_bytes(b"?" + CONTENT[1:])


def blob_of(app: Flask) -> Blob:
    with app.app_context():
        found = db.session.scalars(select(Blob).where(Blob.sha256 == SHA256)).one()
        db.session.expunge_all()
    return found


def record_of(app: Flask, photo: str) -> dict[str, Any]:
    with app.app_context():
        found = find_record(db.session(), photo)
        db.session.remove()
    assert found is not None
    return dict(found.data)


def garbage(app: Flask, own: Services, **given: Any) -> list[Garbage]:
    with app.app_context():
        return list(collect(db.session(), own.media, **{"restored_at": None, **given}))


# --- hashed again --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "flag"), [(spoil, "bytes_differ"), (lambda file: file.unlink(), "bytes_missing")]
)
def test_m3_bytes_that_rot_are_found_and_said_of_on_their_record(
    app: Flask, clock: FixedClock, photo: str, file: Path, harm: Any, flag: str
) -> None:
    harm(file)
    run_pending(app)
    assert record_of(app, photo)["flags"] == []
    clock.advance(days=91)
    run_pending(app)
    assert record_of(app, photo)["flags"] == [flag]
    assert blob_of(app).fault == flag.removeprefix("bytes_").replace("differ", "differs")
    assert file.exists() == (flag == "bytes_differ"), "what rotted is not removed"


def test_m4_bytes_that_rotted_are_not_acknowledged(
    app: Flask, own: Services, rep: Carrier, photo: str, file: Path
) -> None:
    assert len(rep.have(SHA256)) == 1
    spoil(file)
    with app.app_context():
        rehash_blobs(db.session(), own.media, before=own.clock.now(), most_bytes=1)
    assert rep.have(SHA256) == []


def test_m4_the_same_bytes_sent_again_make_up_for_those_that_rotted(
    app: Flask, own: Services, rep: Carrier, photo: str, file: Path
) -> None:
    spoil(file)
    with app.app_context():
        rehash_blobs(db.session(), own.media, before=own.clock.now(), most_bytes=1)
    assert rep.send(photo, CONTENT, upload="again").headers["Upload-State"] == "verified"
    assert file.read_bytes() == CONTENT
    assert blob_of(app).fault is None
    assert len(rep.have(SHA256)) == 1


def test_a_round_hashes_so_much_and_no_more(app: Flask, own: Services, rep: Carrier) -> None:
    contents = [bytes([n]) * 1000 for n in range(4)]
    for content in contents:
        rep.send(rep.declare(content), content)
    with app.app_context():
        session, before = db.session(), own.clock.now()
        first = rehash_blobs(session, own.media, before=before, most_bytes=2000)
        second = rehash_blobs(session, own.media, before=before, most_bytes=10**9)
    assert (len(first), set(first.values())) == (2, {None})
    assert len(second) == 4, "a clock that stands still lets all be due again"


# --- named by nothing ----------------------------------------------------------------------------


def stray(own: Services, content: bytes = b"nobody knows me") -> str:
    """A blob without a row, as a restore leaves it."""
    name = sha256_of(content)
    own.media.disk.put_bytes(content)
    return name


def test_p6_an_original_without_a_row_goes_a_week_after_it_was_first_seen(
    app: Flask, own: Services, clock: FixedClock, photo: str
) -> None:
    name = stray(own)
    [found] = garbage(app, own, dry_run=True)
    assert (found.what, found.name, found.bytes, found.removed) == ("originals", name, 15, False)
    clock.advance(days=8)
    [found] = garbage(app, own)
    assert not found.removed, "a dry run marks nothing"
    clock.advance(days=8)
    assert garbage(app, own, dry_run=True)[0].removed
    assert own.media.originals.head(name) == 15
    assert garbage(app, own)[0].removed
    assert own.media.originals.head(name) is None
    assert own.media.originals.head(SHA256) == len(CONTENT)
    assert garbage(app, own) == []


def test_p6_after_a_restore_originals_without_a_row_are_kept_for_whoever_may_show_them(
    app: Flask, own: Services, clock: FixedClock
) -> None:
    name, restored_at = stray(own), clock.now()
    garbage(app, own, restored_at=restored_at)
    clock.advance(days=60)
    assert not garbage(app, own, restored_at=restored_at)[0].removed
    assert own.media.originals.head(name) == 15
    clock.advance(days=31)
    assert garbage(app, own, restored_at=restored_at)[0].removed


def test_p6_what_an_upload_is_bringing_again_is_not_removed(
    app: Flask, own: Services, clock: FixedClock, rep: Carrier
) -> None:
    name = stray(own, CONTENT)
    garbage(app, own)
    with app.app_context(), transaction(db.session()):
        db.session.execute(update(Orphan).values(since=clock.now() - timedelta(days=8)))
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    assert garbage(app, own) == []
    assert rep.patch(url, 0, CONTENT).headers["Upload-State"] == "verified"
    assert own.media.originals.head(name) == len(CONTENT)
    clock.advance(days=8)
    assert garbage(app, own) == []


def test_unfinished_files_and_pictures_without_a_row_go_as_well(
    app: Flask, own: Services, clock: FixedClock
) -> None:
    leftover = own.settings.data / "blobs" / "incoming" / "0a1b"
    leftover.write_bytes(b"half")
    picture = own.media.pictures.put_bytes(b"a picture").sha256
    assert {one.what for one in garbage(app, own)} == {"pictures"} | {"leftovers"}
    clock.advance(days=3650)
    assert all(one.removed for one in garbage(app, own))
    assert not leftover.exists()
    assert own.media.pictures.head(picture) is None


def test_the_worker_collects_once_a_day(app: Flask, own: Services, clock: FixedClock) -> None:
    name = stray(own)
    run_pending(app)
    clock.advance(days=8)
    run_pending(app)
    assert own.media.originals.head(name) is None
