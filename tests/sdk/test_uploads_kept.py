"""Photos on the real server: what a device learns of them, what is sent again, what comes back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from fieldstamp import Client, Request, Response, UnknownRecordError
from fieldstamp.testing import WsgiTransport
from server.db import transaction
from server.extensions import db
from server.people.principal import Role
from server.sync.epochs import add_epoch
from server.sync.queries import history
from server.work.rounds import run_pending
from tests.company import Company
from tests.company import FixedClock as OfficeClock
from tests.domain.desk import Desk
from tests.fleet import Fleet, jpeg, shop, synced, visit
from tests.pictures import png_header


@pytest.fixture
def fleet(app: Flask, company: Company, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(app, company, tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def rep(company: Company) -> str:
    return company.user()


class Counting(WsgiTransport):
    """Counts the bytes of uploads."""

    sent = 0

    def send(self, request: Request) -> Response:
        if request.method == "PATCH":
            self.sent += len(request.body)
        return super().send(request)


@pytest.fixture
def way(app: Flask) -> Counting:
    return Counting(app)


@pytest.fixture
def device(fleet: Fleet, rep: str, way: Counting) -> Client:
    return fleet.enrol(rep, way)


def forget_bytes(app: Flask, clock: OfficeClock) -> None:
    """A store that was put back from before the bytes came: a new epoch, and no row of them."""
    with app.app_context(), transaction(db.session()):
        for table in ("picture_print", "picture", "arrival", "blob", "upload"):
            db.session.execute(text(f"DELETE FROM {table}"))
        add_epoch(db.session(), clock, reason="restored")


def test_m4_a_restored_server_takes_bytes_back_by_its_own_acknowledgement(
    app: Flask, device: Client, way: Counting, clock: OfficeClock
) -> None:
    content = jpeg(300)
    photo = device.attach(shop(device), content, tag="store_front")
    synced(device)
    assert way.sent == len(content)
    forget_bytes(app, clock)
    assert synced(device).photos_verified == 1
    assert way.sent == len(content), "nothing was sent again"
    assert device.get(photo.id)["state"] == "verified"


def test_m4_also_an_original_that_the_device_has_freed_is_taken_back(
    app: Flask, fleet: Fleet, rep: str, device: Client, clock: OfficeClock, company: Company
) -> None:
    content = jpeg(300)
    photo = device.attach(shop(device), content, tag="store_front")
    synced(device)
    clock.advance(days=15)
    fleet.log_in(device, rep)
    synced(device)
    assert device.free_originals() == len(content)
    forget_bytes(app, clock)
    synced(device)
    fresh = fleet.enrol(rep)
    synced(fresh)
    assert fresh.get(photo.id)["state"] == "verified"
    services = app.extensions["fieldstamp"]
    assert services.media.originals.head(photo["sha256"]) == len(content)


class Spoiling(WsgiTransport):
    """A line that turns one bit over in each of the first bodies."""

    spoilt = 4

    def send(self, request: Request) -> Response:
        if request.method == "PATCH" and self.spoilt:
            self.spoilt -= 1
            request = replace(request, body=request.body[:-1] + bytes([request.body[-1] ^ 1]))
        return super().send(request)


def test_m4_bytes_that_change_on_the_way_are_refused_and_sent_until_they_are_right(
    app: Flask, fleet: Fleet, rep: str, company: Company
) -> None:
    way = Spoiling(app)
    device = fleet.enrol(rep, way)
    content = jpeg(300)
    photo = device.attach(shop(device), content, tag="store_front")
    synced(device)
    changed = [one.changed for one in history(company.store, photo.id)]
    states = [one["state"][1] for one in changed if "state" in one]
    assert (way.spoilt, states) == (0, ["declared", "refused", "verified"])
    assert device.get(photo.id)["state"] == "verified"
    assert app.extensions["fieldstamp"].media.originals.head(photo["sha256"]) == len(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (jpeg(300)[:-2000], ("damaged", "broken")),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", ("unsupported", "opaque")),
        (png_header(60_000, 60_000), ("unsupported", "too_many_pixels")),
    ],
    ids=["damaged", "a film", "too large"],
)
def test_m2_a_device_learns_why_its_photo_is_not_shown(
    app: Flask, device: Client, content: bytes, said: tuple[str, str]
) -> None:
    photo = device.attach(shop(device), content, tag="store_front").id
    synced(device)
    run_pending(app)
    synced(device)
    told = device.get(photo)
    assert (told["state"], told["content"], told["content_reason"]) == ("verified", *said)
    assert device.original(photo) == content


def test_v5_guidance_brings_the_photo_it_is_about_back_to_the_device(
    app: Flask, fleet: Fleet, rep: str, device: Client, company: Company
) -> None:
    went = visit(device, shop(device))
    photo = device.attach(went, jpeg(300), tag="display")
    device.patch(went, {"checked_out_at": "2026-03-02T10:30:00+08:00"})
    synced(device)
    run_pending(app)
    other = fleet.enrol(rep)
    synced(other)
    with pytest.raises(UnknownRecordError):
        other.preview(photo.id)
    synced(other)
    assert other.preview(photo.id).startswith(b"\xff\xd8"), "it was asked for"
    third = fleet.enrol(rep)
    synced(third)
    desk = Desk(company)
    desk.decide(desk.reviewer(), went, "returned", guidance="补拍")
    synced(third)
    with third._store.read() as reading:
        assert reading.rows("SELECT record FROM preview") == [(photo.id,)]
    assert third.preview(photo.id) == other.preview(photo.id)


def test_p5_a_picture_leaves_the_device_with_its_record(
    app: Flask, fleet: Fleet, rep: str, device: Client, company: Company
) -> None:
    customer = shop(device, region=company.regions["shanghai"])
    photo = device.attach(customer, jpeg(300), tag="store_front")
    synced(device)
    run_pending(app)
    other = fleet.enrol(rep)
    synced(other)
    with pytest.raises(UnknownRecordError):
        other.preview(photo.id)
    synced(other)
    assert other.preview(photo.id)
    fleet.give(customer, to=company.user(Role.REP, "guangzhou"), region="guangzhou")
    synced(other)
    with pytest.raises(UnknownRecordError):
        other.preview(photo.id)
    assert not [path for path in other._blobs._folder.rglob("*") if path.is_file()]


def test_p8_a_picture_that_the_disk_has_lost_is_asked_for_again(
    app: Flask, fleet: Fleet, rep: str, device: Client
) -> None:
    photo = device.attach(shop(device), jpeg(300), tag="store_front")
    synced(device)
    run_pending(app)
    other = fleet.enrol(rep)
    synced(other)
    for _ in range(2):
        with pytest.raises(UnknownRecordError):
            other.preview(photo.id)
        synced(other)
        assert other.preview(photo.id).startswith(b"\xff\xd8")
        for path in other._blobs._folder.glob("*/*"):
            path.unlink()
