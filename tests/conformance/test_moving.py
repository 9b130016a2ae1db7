"""Originals come to rest in a bucket: step by step, whatever is cut short, and nothing is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import select, update

from server.db import transaction
from server.extensions import db
from server.media.moving import ON_THE_WAY, RESTING, STEPS, Moved, move_blobs
from server.media.rehash import rehash_blobs
from server.media.resting import RestingBlobs
from server.media.s3 import Bucket, S3Blobs
from server.media.tables import Blob
from server.people.tables import AuditEntry
from server.services import Services
from server.settings import Settings
from server.upkeep import backup
from server.upkeep.verify import verify
from server.work.rounds import run_pending
from tests.company import ORIGIN, FixedClock
from tests.until import LIMIT_SECONDS
from tests.uploads import Carrier, carriers, sha256_of

CONTENT = b"\xff\xd8\xff" + b"not quite a picture " * 5000
SHA256 = sha256_of(CONTENT)


@pytest.fixture
def settings(tmp_path: Path, store_url: str, bucket: Bucket) -> Settings:
    return Settings(
        data=tmp_path / "data",
        database=store_url,
        origins=(ORIGIN,),
        bucket=bucket.name,
        bucket_endpoint=bucket.endpoint,
        bucket_region=bucket.region,
        bucket_prefix=f"{sha256_of(str(tmp_path).encode())[:12]}/",
    )


@pytest.fixture
def own(app: Flask) -> Services:
    services: Services = app.extensions["fieldstamp"]
    return services


@pytest.fixture
def stores(own: Services) -> RestingBlobs:
    assert isinstance(own.media.originals, RestingBlobs)
    return own.media.originals


@pytest.fixture
def at_rest(stores: RestingBlobs) -> S3Blobs:
    assert isinstance(stores.at_rest, S3Blobs)
    return stores.at_rest


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def photo(app: Flask, rep: Carrier) -> str:
    photo = rep.declare(CONTENT)
    assert rep.send(photo, CONTENT).headers["Upload-State"] == "verified"
    run_pending(app)
    return photo


def move(app: Flask, own: Services) -> int:
    with app.app_context():
        return move_blobs(db.session(), own.media, before=own.clock.now())


def place_of(app: Flask) -> str:
    with app.app_context():
        place = db.session.scalar(select(Blob.place).where(Blob.sha256 == SHA256))
        db.session.remove()
    return str(place)


def test_m4_an_original_comes_to_rest_and_everybody_finds_it_there(
    app: Flask, own: Services, stores: RestingBlobs, rep: Carrier, photo: str
) -> None:
    assert move(app, own) == 1
    assert (stores.at_hand.head(SHA256), stores.at_rest.head(SHA256)) == (None, len(CONTENT))
    assert place_of(app) == RESTING
    assert rep.read(photo).data == CONTENT
    part = rep.read(photo, Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, CONTENT[10:20])
    assert len(rep.have(SHA256)) == 1
    assert move(app, own) == 0
    with app.app_context():
        assert list(verify(db.session(), own.sync, own.media, photos=True)) == []
        found = rehash_blobs(db.session(), own.media, before=own.clock.now(), most_bytes=10**9)
    assert found == {SHA256: None}


def fetch(url: str) -> tuple[int, bytes, str]:
    """Status, bytes and disposition of what anybody gets there, who shows no token."""
    answer = requests.get(url, timeout=LIMIT_SECONDS)
    return answer.status_code, answer.content, answer.headers.get("Content-Disposition", "")


def test_p5_a_link_to_what_rests_in_the_bucket_names_one_object_and_is_noted(
    app: Flask, own: Services, rep: Carrier, photo: str
) -> None:
    move(app, own)
    told = rep.client.post(f"/v1/media/{photo}/original/link", headers=rep.device.headers).json
    assert told is not None
    url = str(told["url"])
    assert url.startswith(own.settings.bucket_endpoint)
    assert fetch(url) == (200, CONTENT, f'attachment; filename="{photo}"')
    assert fetch(url.replace(SHA256, "0" * 64))[0] == 403
    assert fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"))[0] == 403
    with app.app_context():
        seen = db.session.scalars(select(AuditEntry).where(AuditEntry.what == "original_seen"))
        assert [(one.user, one.record) for one in seen] == [(rep.device.user, photo)]


def test_the_worker_moves_what_has_lain_at_hand_for_a_week(
    app: Flask, clock: FixedClock, photo: str
) -> None:
    assert place_of(app) == "local"
    clock.advance(days=8)
    run_pending(app)
    assert place_of(app) == RESTING


@pytest.mark.parametrize("killed", range(3), ids=ON_THE_WAY)
def test_m4_a_move_that_was_killed_behind_any_step_goes_on(
    app: Flask, own: Services, stores: RestingBlobs, photo: str, killed: int
) -> None:
    """The step took effect, and the row does not know of it."""
    for place in ON_THE_WAY[: killed + 1]:
        after = STEPS[place](stores, Moved(SHA256, len(CONTENT), place))
        if place == ON_THE_WAY[killed]:
            break
        with app.app_context(), transaction(db.session()):
            db.session.execute(update(Blob).values(place=after))
    assert place_of(app) == ON_THE_WAY[killed]
    assert move(app, own) == 1
    assert (place_of(app), stores.at_hand.head(SHA256)) == (RESTING, None)
    assert stores.at_rest.head(SHA256) == len(CONTENT)


def harm(at_rest: S3Blobs) -> None:
    """Puts other bytes of the same number in the place of the object."""
    at_rest._client.put_object(**at_rest._at(SHA256), Body=b"?" + CONTENT[1:])


@pytest.mark.parametrize("spoil", [harm, lambda at_rest: at_rest.delete(SHA256)])
def test_m4_the_local_copy_stays_until_the_bucket_gave_every_byte_back(
    app: Flask,
    own: Services,
    stores: RestingBlobs,
    at_rest: S3Blobs,
    photo: str,
    spoil: Callable[[S3Blobs], None],
) -> None:
    STEPS["local"](stores, Moved(SHA256, len(CONTENT), "local"))
    with app.app_context(), transaction(db.session()):
        db.session.execute(update(Blob).values(place="copied"))
    spoil(at_rest)
    assert move(app, own) == 0
    assert (place_of(app), stores.at_hand.head(SHA256)) == ("local", len(CONTENT))
    assert move(app, own) == 1


def test_m4_a_bucket_out_of_reach_costs_nothing(
    app: Flask, own: Services, stores: RestingBlobs, at_rest: S3Blobs, rep: Carrier, photo: str
) -> None:
    away = replace(at_rest._bucket, name="nosuchbucket")
    good, at_rest._bucket = at_rest._bucket, away
    with pytest.raises(OSError, match="refused"):
        move(app, own)
    run_pending(app)
    assert rep.read(photo).data == CONTENT
    at_rest._bucket = good
    assert move(app, own) == 1


def test_m4_bytes_that_rotted_before_their_move_are_not_sent(
    app: Flask, own: Services, stores: RestingBlobs, photo: str
) -> None:
    file = stores.at_hand.path(SHA256)
    file.chmod(0o600)
    file.write_bytes(b"?" + CONTENT[1:])
    assert move(app, own) == 0
    assert stores.at_rest.head(SHA256) is None
    assert file.exists()
    with app.app_context():
        assert db.session.scalar(select(Blob.fault)) == "differs"


def test_m4_a_backup_misses_what_neither_disk_nor_bucket_has(
    app: Flask, own: Services, stores: RestingBlobs, photo: str, tmp_path: Path
) -> None:
    move(app, own)
    with app.app_context():
        for folder, resting, missing in (("one", 1, []), ("two", 0, [SHA256])):
            manifest = backup.create(
                db.engine, own.settings, own.clock, tmp_path / folder, at_rest=stores
            )
            assert (manifest.resting, manifest.missing) == (resting, missing)
            stores.at_rest.delete(SHA256)


def test_a_row_that_is_older_than_the_move_of_its_bytes_finds_them(
    app: Flask, own: Services, rep: Carrier, photo: str
) -> None:
    move(app, own)
    with app.app_context(), transaction(db.session()):
        db.session.execute(update(Blob).values(place="local"))
    assert rep.read(photo).data == CONTENT
    assert move(app, own) == 1
    assert place_of(app) == RESTING


def test_without_a_bucket_nothing_moves(own: Services, app: Flask) -> None:
    media = replace(own.media, originals=own.media.disk)
    with app.app_context():
        assert move_blobs(db.session(), media, before=own.clock.now()) == 0
