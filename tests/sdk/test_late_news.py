"""A device that hears late, or only by what the server lacks, that an older store took its place.

On the real server, on SQLite: nothing here is decided by a statement of its own.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from fieldstamp import Client, OfflineError, Request, Response
from fieldstamp.testing import WsgiTransport
from server.extensions import db
from server.sync.epochs import add_epoch, current_epoch
from tests.backups import Backup
from tests.company import Company
from tests.company import FixedClock as OfficeClock
from tests.fleet import Fleet, acknowledged, held, jpeg, shop, synced, visit

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


class Way(WsgiTransport):
    """A way on which pulls may come to nothing, and that counts pushes."""

    is_pulling = True
    pushes = 0

    def send(self, request: Request) -> Response:
        if request.url.endswith("/pull") and not self.is_pulling:
            raise OfflineError("the connection broke")
        self.pushes += request.url.endswith("/push")
        return super().send(request)


@pytest.fixture
def fleet(app: Flask, company: Company, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(app, company, tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def rep(company: Company) -> str:
    return company.user()


@pytest.fixture
def way(app: Flask) -> Way:
    return Way(app)


@pytest.fixture
def device(fleet: Fleet, rep: str, way: Way) -> Client:
    return fleet.enrol(rep, way)


@pytest.mark.parametrize("late", [0, 40])
@pytest.mark.parametrize("age", [1, 40])
def test_p6_all_that_a_device_had_handed_in_comes_back_however_late_it_hears_of_a_restore(
    app: Flask, fleet: Fleet, clock: OfficeClock, rep: str, device: Client, age: int, late: int
) -> None:
    """``age``: days from the backup to the restore; ``late``: days from there until it hears."""
    old = shop(device)
    synced(device)
    with Backup(app) as backup:
        backup.take()
        device.patch(old, {"phone": "1"})
        photo = device.attach(visit(device, shop(device)), jpeg(), tag="display")
        synced(device)
        clock.advance(days=age)
        fleet.log_in(device, rep)
        synced(device)
        before, acked = held(device), acknowledged(device)
        backup.put_back()
    add_epoch(db.session(), clock, reason="restored")
    db.session.commit()
    clock.advance(days=late)
    fleet.log_in(device, rep)
    synced(device)
    assert held(device).keys() == before.keys()
    assert acknowledged(device) == acked
    assert device.get(old)["phone"] == "1"
    assert device.get(photo.id)["state"] == "verified"
    fleet.assert_like_fresh(device, rep)


def test_p6_a_server_that_does_not_know_an_acknowledged_photo_gets_all_of_it_again(
    app: Flask, fleet: Fleet, clock: OfficeClock, rep: str, device: Client, way: Way
) -> None:
    """No epoch and no cursor tells it: pulls broke, and the older store is in the same epoch."""
    old = shop(device)
    synced(device)
    with Backup(app) as backup:
        backup.take()
        way.is_pulling = False
        fresh = shop(device)
        photo = device.attach(visit(device, fresh), jpeg(), tag="display")
        assert not device.sync().run().synced
        acked, epoch = acknowledged(device), current_epoch(db.session())
        assert len(acked) == 4
        db.session.remove()
        backup.put_back()
    way.is_pulling = True
    assert not device.sync().run().synced
    synced(device)
    assert current_epoch(db.session()) == epoch
    assert acknowledged(device) == acked
    assert device.get(photo.id)["state"] == "verified"
    assert {old, fresh} <= held(device).keys()
    fleet.assert_like_fresh(device, rep)


class Forgetful(Way):
    """Another server answers uploads: it knows of no photo, whatever was pushed."""

    def send(self, request: Request) -> Response:
        answer = super().send(request)
        if request.method == "POST" and request.url.endswith("/uploads"):
            problem = b'{"code": "not_found", "title": "?"}'
            headers = {"content-type": "application/problem+json"}
            return replace(answer, status=404, headers=headers, body=problem)
        return answer


def test_p8_photos_that_no_push_makes_known_do_not_send_everything_again_and_again(
    app: Flask, fleet: Fleet, rep: str
) -> None:
    way = Forgetful(app)
    device = fleet.enrol(rep, way)
    device.attach(shop(device), jpeg(), tag="store_front")
    for _ in range(4):
        assert not device.sync().run().synced
    assert way.pushes == 2
    [left] = device.outbox()
    assert (left.what, bool(left.reason)) == ("upload", True)
