"""A bucket that refuses, is slow, or changes while it is looked at: another disk stands for it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from flask import Flask
from sqlalchemy import select, update

from server.db import transaction
from server.extensions import db
from server.media.blobs import Placed, WrongHash
from server.media.disk import DiskBlobs
from server.media.engine import Media
from server.media.garbage import collect
from server.media.moving import RESTING, move_blobs
from server.media.rehash import PATIENCE_SECONDS, rehash_blobs
from server.media.resting import RestingBlobs
from server.media.tables import Blob
from server.services import Services
from server.upkeep import backup, manifest
from tests.company import FixedClock
from tests.uploads import Carrier, carriers, sha256_of

CONTENTS = [bytes([n]) * 1000 for n in range(3)]
NAMES = [sha256_of(content) for content in CONTENTS]


class Elsewhere(DiskBlobs):
    """A bucket in which ``before`` happens first to whatever is asked of an object."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before: Callable[[str], object] = lambda _sha256: None

    def put_if_absent(
        self, source: Path, *, sha256: str, given: bool = False, found: str | None = None
    ) -> Placed | WrongHash:
        self.before(sha256)
        return super().put_if_absent(source, sha256=sha256, given=given, found=found)

    def open_range(self, sha256: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        self.before(sha256)
        return super().open_range(sha256, start, stop)

    def head(self, sha256: str) -> int | None:
        self.before(sha256)
        return super().head(sha256)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere")


@pytest.fixture
def media(app: Flask, elsewhere: Elsewhere) -> Media:
    """The server's, with a bucket and three originals."""
    own: Services = app.extensions["fieldstamp"]
    [rep] = carriers(app)
    bring(rep)
    return replace(own.media, originals=RestingBlobs(own.media.disk, elsewhere))


def bring(rep: Carrier) -> None:
    for content in CONTENTS:
        assert rep.send(rep.declare(content), content).headers["Upload-State"] == "verified"


def move(app: Flask, media: Media) -> int:
    with app.app_context():
        return move_blobs(db.session(), media, before=media.clock.now())


def hash_again(app: Flask, media: Media) -> int:
    with app.app_context():
        before = media.clock.now()
        return len(rehash_blobs(db.session(), media, before=before, most_bytes=10**9))


def at_rest(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Blob.sha256).where(Blob.place == RESTING)))


def refuse(*names: str) -> Callable[[str], None]:
    def before(sha256: str) -> None:
        if sha256 in names:
            raise OSError("the bucket refused: AccessDenied")

    return before


def test_p8_an_original_that_the_bucket_refuses_keeps_no_other_from_its_rest(
    app: Flask, media: Media, elsewhere: Elsewhere
) -> None:
    elsewhere.before = refuse(NAMES[0])
    assert move(app, media) == 2
    assert set(at_rest(app)) == set(NAMES[1:])
    with pytest.raises(OSError, match="AccessDenied"):
        move(app, media)
    elsewhere.before = refuse()
    assert move(app, media) == 1


def test_p6_a_bucket_that_does_not_answer_stops_no_backup(
    app: Flask, media: Media, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    move(app, media)
    own: Services = app.extensions["fieldstamp"]
    for refused, missing in (((), []), (NAMES, sorted(NAMES))):
        elsewhere.before = refuse(*refused)
        folder = tmp_path / f"backup {len(missing)}"
        with app.app_context():
            made = backup.create(db.engine, own.settings, own.clock, folder, at_rest=elsewhere)
        assert (made.missing, manifest.check(folder).missing) == (missing, missing)


@pytest.mark.parametrize("work", [move, hash_again])
def test_p8_a_bucket_that_answers_nobody_keeps_a_round_waiting_once(
    app: Flask,
    media: Media,
    elsewhere: Elsewhere,
    clock: FixedClock,
    work: Callable[[Flask, Media], int],
) -> None:
    if work is hash_again:
        move(app, media)
    asked: list[str] = []

    def wait(sha256: str) -> None:
        asked.append(sha256)
        clock.advance(seconds=PATIENCE_SECONDS)
        raise OSError("the bucket cannot be used: ConnectTimeoutError")

    elsewhere.before = wait
    with pytest.raises(OSError, match="ConnectTimeoutError"):
        work(app, media)
    assert len(asked) == 1


def test_m4_a_copy_that_made_up_for_bytes_which_rotted_at_rest_is_no_garbage(
    app: Flask, media: Media, elsewhere: Elsewhere
) -> None:
    move(app, media)
    for content in CONTENTS:
        media.disk.put_bytes(content)

    def mend(sha256: str) -> None:
        """What an upload of the same bytes does while the bucket is asked for their size."""
        elsewhere.before = refuse()
        with app.app_context(), transaction(db.session()):
            db.session.execute(
                update(Blob).where(Blob.sha256 == sha256).values(place="local", fault=None)
            )

    elsewhere.before = mend
    with app.app_context():
        gone = {one.name for one in collect(db.session(), media, restored_at=None)}
    assert {name for name in NAMES if media.disk.head(name) is None} == gone
    assert len(gone) == 2
