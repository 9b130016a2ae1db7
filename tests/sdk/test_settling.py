"""What lost or was refused is brought back, and what is safe is freed: on the real server."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from fieldstamp import Client, FieldstampError, UnknownRecordError
from server.people.principal import Role
from tests.company import Company
from tests.company import FixedClock as OfficeClock
from tests.fleet import Fleet, held, jpeg, shop, synced, visit


@pytest.fixture
def fleet(app: Flask, company: Company, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(app, company, tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def rep(company: Company) -> str:
    return company.user()


@pytest.fixture
def device(fleet: Fleet, rep: str) -> Client:
    return fleet.enrol(rep)


def quarrel(device: Client, other: Client) -> tuple[str, str]:
    """A customer, and the conflict in which ``other`` lost its phone number and unset a field."""
    made = shop(device, address="1", channel="direct")
    synced(device)
    synced(other)
    device.patch(made, {"phone": "first", "channel": "shop"})
    other.patch(made, {"phone": "second"}, unset=["channel"])
    synced(device)
    assert synced(other).conflicts == 1
    [conflict] = other.conflicts()
    return made, conflict.id


def test_p6_lost_values_are_restored_by_one_call(fleet: Fleet, device: Client, rep: str) -> None:
    other = fleet.enrol(rep)
    made, conflict = quarrel(device, other)
    restored = other.restore(conflict)
    assert (restored.id, restored["phone"], restored.get("channel")) == (made, "second", None)
    synced(other)
    synced(device)
    assert device.get(made)["phone"] == "second"
    assert "channel" not in device.get(made).data
    assert device.get(conflict)["state"] == "resolved"
    assert device.conflicts() == other.conflicts() == []


def test_p6_a_conflict_is_resolved_by_other_values_or_by_what_stands(
    fleet: Fleet, device: Client, rep: str
) -> None:
    other = fleet.enrol(rep)
    made, conflict = quarrel(device, other)
    synced(device)
    device.resolve(conflict, {"phone": "third"})
    synced(device)
    assert (device.get(made)["phone"], device.conflicts()) == ("third", [])
    made, conflict = quarrel(device, other)
    other.resolve(conflict)
    synced(other)
    assert (other.get(made)["phone"], other.conflicts()) == ("first", [])


def test_p6_a_withdrawal_that_lost_is_restored(
    fleet: Fleet, device: Client, company: Company
) -> None:
    manager = fleet.enrol(company.user(Role.REGION_MANAGER, "shanghai"))
    made = shop(device)
    synced(device)
    synced(manager)
    device.withdraw(made)
    manager.patch(made, {"phone": "1"})
    synced(manager)
    assert synced(device).conflicts == 1
    assert not device.get(made).withdrawn
    [conflict] = device.conflicts()
    device.restore(conflict.id)
    synced(device)
    assert device.get(made).withdrawn


def test_what_was_settled_is_not_settled_twice(fleet: Fleet, device: Client, rep: str) -> None:
    other = fleet.enrol(rep)
    _, conflict = quarrel(device, other)
    other.restore(conflict)
    for call in (other.restore, other.resolve):
        with pytest.raises(FieldstampError, match="settled already") as told:
            call(conflict)
        assert told.value.code == "settled"
    synced(other)
    with pytest.raises(FieldstampError, match="settled already"):
        other.restore(conflict)
    with pytest.raises(UnknownRecordError):
        other.restore("no such thing")


def abroad(company: Company) -> str:
    """A region in which a rep of Shanghai may place nothing."""
    return company.regions["guangzhou"]


def test_p6_a_refused_create_comes_back_with_all_that_was_refused_because_of_it(
    device: Client, company: Company
) -> None:
    made = shop(device, region=abroad(company))
    went = visit(device, made)
    photo = device.attach(went, content := jpeg(300), tag="display")
    device.patch(made, {"phone": "5"})
    assert synced(device).rejected == 4
    need = device.status().needs_you[0]
    assert (need.record, need.code) == (made, "validation")
    assert [parked["code"] for parked in device.parked()].count("depends_on_rejected") == 3
    device.restore(need.id, unset=["region"])
    with pytest.raises(FieldstampError, match="settled already"):
        device.restore(need.id)
    assert device.get(photo.id)["parent"] == went
    report = synced(device)
    assert (report.applied, report.needs_you) == (4, ())
    assert (device.get(made)["phone"], device.get(went)["customer"]) == ("5", made)
    assert device.parked() == []
    assert device.original(photo.id) == content


def test_p6_a_refused_group_is_corrected_and_sent_again(device: Client, company: Company) -> None:
    with device.group() as group:
        made = group.create(
            "customer", {"name": "店", "customer_type": "store", "region": abroad(company)}
        )
        went = group.create("visit", {"customer": made, "purpose": "sale"})
    assert synced(device).rejected == 2
    cause = next(need for need in device.status().needs_you if need.record == made)
    device.restore(cause.id, {"region": company.regions["shanghai"], "phone": "1"})
    assert synced(device).applied == 2
    assert {made, went} <= held(device).keys()
    assert device.get(made)["phone"] == "1"


def test_p6_another_device_of_the_same_person_restores_what_was_refused(
    fleet: Fleet, device: Client, company: Company, rep: str
) -> None:
    made = shop(device, region=abroad(company))
    visit(device, made)
    synced(device)
    other = fleet.enrol(rep)
    synced(other)
    parked = next(one for one in other.parked() if one["record"] == made)
    other.restore(parked.id, unset=["region"])
    assert synced(other).applied == 2
    assert other.parked() == []
    synced(device)
    assert device.status().needs_you == ()


def test_m4_an_original_is_freed_fourteen_days_after_the_server_signed_for_it(
    fleet: Fleet, device: Client, clock: OfficeClock, rep: str
) -> None:
    content = jpeg(300)
    photo = device.attach(shop(device), content, tag="store_front")
    assert device.free_originals() == 0
    synced(device)
    clock.advance(days=13)
    fleet.log_in(device, rep)
    synced(device)
    assert device.free_originals() == 0
    clock.advance(days=2)
    assert device.free_originals() == 0, "only the server's answers tell its time"
    synced(device)
    twin = device.attach(shop(device), content, tag="store_front")
    assert device.free_originals() == 0, "an unsent photo has the same bytes"
    synced(device)
    clock.advance(days=15)
    fleet.log_in(device, rep)
    synced(device)
    assert device.free_originals() == len(content)
    assert device.free_originals() == 0
    for freed in (photo, twin):
        with pytest.raises(UnknownRecordError):
            device.original(freed.id)
    again = device.attach(shop(device), content, tag="store_front")
    assert device.original(again.id) == content
    assert synced(device).photos_verified == 1


def test_m4_an_original_stays_where_it_cannot_be_noted_that_it_went(
    fleet: Fleet, device: Client, clock: OfficeClock, rep: str
) -> None:
    content = jpeg(300)
    photo = device.attach(shop(device), content, tag="store_front")
    synced(device)
    clock.advance(days=15)
    fleet.log_in(device, rep)
    synced(device)
    connection = device._store._connection
    connection.set_authorizer(no_commit)
    with pytest.raises(sqlite3.DatabaseError):
        device.free_originals()
    connection.set_authorizer(None)
    assert device.original(photo.id) == content
    assert device.free_originals() == len(content)


def no_commit(action: int, what: str | None, *_: str | None) -> int:
    refused = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK
