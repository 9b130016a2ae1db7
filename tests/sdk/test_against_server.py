"""The SDK and the real server in one process, on both databases: what one says the other takes."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from flask import Flask
from PIL import Image

from fieldstamp import Client, IllegalMoveError, Record, Transport
from fieldstamp.testing import Faults, FaultyNet, FixedClock, SeededEntropy, WsgiTransport
from server.db import transaction
from server.people import devices
from server.people.principal import Role
from server.people.tables import Device, User
from tests.company import ORIGIN, Company
from tests.company import FixedClock as OfficeClock
from tests.domain.desk import Desk
from tests.until import synced_at_last


def jpeg(side: int = 64) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((side, side), 64).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


class Enroller(Protocol):
    """A further enrolled device of a user, its own store and clock included."""

    def __call__(self, user: str) -> Client: ...


@pytest.fixture
def enrol(tmp_path: Path, app: Flask, company: Company) -> Iterator[Enroller]:
    opened: list[Client] = []

    def enrol_one(user: str) -> Client:
        client = Client(
            tmp_path / f"device{len(opened)}.db",
            server=ORIGIN,
            transport=WsgiTransport(app),
            clock=FixedClock(),
            entropy=SeededEntropy(100 + len(opened)),
        )
        opened.append(client)
        with transaction(company.store):
            person = company.store.get_one(User, user)
            now = company.services.clock.now()
            code = devices.issue_code(company.store, company.services.ids, person, now=now)
        client.enrol(code, name="phone")
        return client

    yield enrol_one
    for client in opened:
        client.close()


@pytest.fixture
def rep(company: Company) -> str:
    return company.user()


@pytest.fixture
def device(enrol: Enroller, rep: str) -> Client:
    """A rep's enrolled device."""
    return enrol(rep)


def save_visit(device: Client) -> Record:
    customer = device.create("customer", {"name": "南京路烟酒店", "customer_type": "store"})
    return device.create("visit", {"customer": customer, "purpose": "routine"})


def sync(device: Client) -> None:
    report = device.sync().run()
    assert report.synced, (report, device.outbox())


def test_p3_a_visit_and_its_photo_are_synced_and_equal_on_both_sides(device: Client) -> None:
    visit = save_visit(device)
    photo = device.attach(visit, jpeg(900), tag="store_front", source="app_camera")
    report = device.sync().run()
    assert report.synced, (report, device.outbox())
    assert (report.sent, report.applied, report.photos_verified) == (3, 3, 1)
    assert device.get(photo.id)["state"] == "verified"
    assert not device.get(visit.id).pending
    assert all(mutation.ack for mutation in device.mutations())


def test_a_signature_is_evidence_like_a_photo(device: Client) -> None:
    visit = save_visit(device)
    out = io.BytesIO()
    Image.new("RGB", (80, 30), "white").save(out, "PNG")
    strokes = [[10, 10, 0], [20, 12, 30]]
    signed = device.sign(
        visit, part="customer", signer="王芳", image=out.getvalue(), strokes=strokes
    )
    sync(device)
    assert device.get(signed.id)["state"] == "verified"


def test_p7_two_devices_of_one_person_hold_the_same(
    enrol: Enroller, rep: str, device: Client
) -> None:
    other = enrol(rep)
    visit = save_visit(device)
    sync(device)
    sync(other)
    other.patch(visit.id, {"topics": "新品", "satisfaction": 5})
    sync(other)
    sync(device)
    assert dict(device.get(visit.id).data) == dict(other.get(visit.id).data)
    assert device.get(visit.id)["satisfaction"] == 5


def test_p6_of_two_edits_of_one_field_none_is_lost(
    enrol: Enroller, rep: str, device: Client
) -> None:
    other = enrol(rep)
    visit = save_visit(device)
    sync(device)
    sync(other)
    device.patch(visit.id, {"topics": "first"})
    other.patch(visit.id, {"topics": "second", "needs": "samples"})
    sync(device)
    report = other.sync().run()
    assert (report.conflicts, report.synced) == (1, True)
    assert other.get(visit.id)["topics"] == "first"
    assert other.get(visit.id)["needs"] == "samples"
    (conflict,) = other.records("conflict")
    assert "second" in str(conflict.data)
    sync(device)
    assert [record.id for record in device.records("conflict")] == [conflict.id]


def test_p8_a_refused_change_is_parked_shown_and_blocks_nothing(device: Client) -> None:
    visit = save_visit(device)
    sync(device)
    device.patch(visit.id, unset=["purpose"])
    good = device.patch(visit.id, {"topics": "新品"})
    report = device.sync().run()
    assert (report.rejected, report.applied, report.synced) == (1, 1, True), report
    (need,) = report.needs_you
    assert need.record == visit.id
    assert [record.id for record in device.records("parked")] == [need.id]
    assert device.get(good.id)["purpose"] == "routine"
    assert device.get(good.id)["topics"] == "新品"


def test_a_group_is_taken_together(device: Client) -> None:
    with device.group() as group:
        customer = group.create("customer", {"name": "店", "customer_type": "store"})
        visit = group.create("visit", {"customer": customer, "purpose": "sale"})
    sync(device)
    assert device.get(visit)["customer"] == customer


def test_a_withdrawn_record_stays_readable(device: Client) -> None:
    visit = save_visit(device)
    sync(device)
    device.withdraw(visit.id)
    sync(device)
    assert device.get(visit.id).withdrawn
    assert not device.get(visit.id).pending


def test_a_spent_access_token_is_renewed_by_proof(device: Client, clock: OfficeClock) -> None:
    visit = save_visit(device)
    clock.advance(days=2)
    sync(device)
    clock.advance(days=2)
    device.patch(visit.id, {"topics": "later"})
    sync(device)


def test_p5_a_revoked_device_hands_in_and_receives_nothing(
    device: Client, company: Company
) -> None:
    sync(device)
    visit = save_visit(device)
    device.attach(visit, jpeg(), tag="store_front")
    with transaction(company.store):
        row = company.store.get_one(Device, device.status().device)
        devices.revoke(company.store, row, erase="scopes", now=company.services.clock.now())
    report = device.sync().run()
    assert report.reason == "device_revoked", report
    assert (report.sent, report.synced) == (3, False)
    assert (report.photos_sent, report.photos_verified, report.pending) == (1, 1, 0)


def test_p5_a_manager_receives_what_reps_of_the_region_saved(
    enrol: Enroller, device: Client, company: Company
) -> None:
    visit = save_visit(device)
    sync(device)
    manager = enrol(company.user(Role.REGION_MANAGER, "shanghai"))
    sync(manager)
    assert manager.get(visit.id)["purpose"] == "routine"
    foreign = enrol(company.user(Role.REGION_MANAGER, "guangzhou"))
    sync(foreign)
    assert foreign.records("visit") == []


@pytest.mark.parametrize("seed", range(3))
def test_p2_a_bad_network_changes_nothing_about_what_arrives(
    app: Flask, tmp_path: Path, device: Client, enrol: Enroller, rep: str, seed: int
) -> None:
    clock = FixedClock()
    bad = Faults(drop_request=0.15, drop_answer=0.15, duplicate=0.1, cut=0.15, portal=0.05)
    net: Transport = FaultyNet(WsgiTransport(app), bad, seed=seed)
    with Client(
        tmp_path / "device0.db", transport=net, clock=clock, entropy=SeededEntropy(7)
    ) as same:
        photos = [same.attach(save_visit(same), jpeg(300), tag="display") for _ in range(3)]
        synced_at_last(same, clock=clock)
    other = enrol(rep)
    sync(other)
    assert len(other.records("visit")) == len(photos)
    assert [other.get(photo.id)["state"] for photo in photos] == ["verified"] * len(photos)


def test_p6_what_was_refused_is_corrected_and_sent_again(device: Client) -> None:
    visit = save_visit(device)
    sync(device)
    at = "2026-11-22T10:00:00+08:00"
    before = "2026-11-22T09:00:00+08:00"
    device.patch(visit.id, {"check_in": {"at": at}, "check_out": {"at": before}})
    (need,) = device.sync().run().needs_you
    assert need.fields
    corrected = {"check_in": {"at": before}, "check_out": {"at": at}}
    device.patch(visit.id, corrected, restores={"parked": need.id})
    report = device.sync().run()
    assert (report.synced, report.needs_you) == (True, ()), report
    assert device.get(need.id)["state"] == "restored"
    assert device.get(visit.id)["check_out"] == {"at": at}


def test_p6_the_value_that_lost_is_restored_by_one_change(
    enrol: Enroller, rep: str, device: Client
) -> None:
    other = enrol(rep)
    visit = save_visit(device)
    sync(device)
    sync(other)
    device.patch(visit.id, {"topics": "first"})
    other.patch(visit.id, {"topics": "second"})
    sync(device)
    sync(other)
    (conflict,) = other.records("conflict")
    other.patch(visit.id, conflict["lost"], resolves=[conflict.id])
    sync(other)
    sync(device)
    assert device.get(visit.id)["topics"] == "second"
    assert device.get(conflict.id)["state"] == "resolved"


def test_x9_what_was_right_when_it_was_saved_is_judged_by_the_server_when_it_arrives(
    company: Company, device: Client
) -> None:
    shop = device.create("customer", {"name": "南京路烟酒店", "customer_type": "store"})
    goods = {"product": "Tea", "quantity": 12, "unit": "piece", "symptom": "漏液"}
    found = {"customer": shop, "found_at": "2026-03-02T09:00:00+08:00"}
    leak = device.create("product_fault", {**goods, **found})
    sync(device)
    desk = Desk(company)
    desk.decide(desk.reviewer(Role.SALES_CLERK, None), leak.id, "registered")
    manager = desk.reviewer()
    for move in ("goes", "seen"):
        desk.decide(manager, leak.id, move)
    company.store.rollback()
    device.patch(leak.id, {"withdrawal_reason": "误报"})
    device.sync().run()
    assert device.mutations(leak.id)[-1].outcome == "rejected"
    assert device.get(leak.id)["state"] == "opinion"
    count = len(device.mutations())
    with pytest.raises(IllegalMoveError):
        device.patch(leak.id, {"withdrawal_reason": "误报"})
    assert len(device.mutations()) == count
