"""P1 across epochs: what a base and a cursor from before a restore are worth. Both databases."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from server.app import open_store
from server.db import transaction
from server.services import Services
from server.sync import epochs
from server.sync.cursor import Cursor
from server.sync.epochs import current_epoch, follow_epoch
from tests.backups import Backup
from tests.company import Company, FixedClock
from tests.phone import Phone, customer


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


@pytest.fixture
def manager(client: FlaskClient, company: Company) -> Phone:
    """A region manager's phone in the East."""
    return Phone(client, company.manager())


def begin_epoch(store: Session, clock: FixedClock) -> str:
    """A new epoch, as after a restore."""
    store.rollback()
    return follow_epoch(store, clock, ended=current_epoch(store) or "", reason="restored")


def fields_of(phone: Phone, record: str) -> dict[str, Any]:
    """The record as a device that begins anew gets it."""
    [item] = [item for item in phone.pull_all() if item["record"] == record]
    data: dict[str, Any] = item["data"]
    return data


def test_p1_a_cursor_of_an_earlier_epoch_begins_anew(
    phone: Phone, store: Session, clock: FixedClock
) -> None:
    cursor = phone.pull()["cursor"]
    name = begin_epoch(store, clock)
    page = phone.pull(cursor)
    assert page["resync_required"] == "epoch_changed"
    assert page["epoch"] == name


def test_p1_an_epoch_that_somebody_else_began_is_not_begun_again(
    store: Session, clock: FixedClock, phone: Phone
) -> None:
    ended = current_epoch(store) or ""
    first = follow_epoch(store, clock, ended=ended, reason="restored")
    assert follow_epoch(store, clock, ended=ended, reason="restored") == first
    assert current_epoch(store) == first != ended


def test_p1_a_cursor_ahead_of_the_feed_begins_an_epoch_once(
    app: Flask, phone: Phone, manager: Phone, store: Session
) -> None:
    services: Services = app.extensions["fieldstamp"]
    phone.push(phone.create("customer", customer()))
    running = current_epoch(store)
    ahead = [ahead_of_feed(services, one) for one in (phone, manager)]
    told = phone.pull(ahead[0])
    assert told["resync_required"] == "cursor_ahead"
    assert told["cursor"] is None
    assert told["epoch"] != running
    again = manager.pull(ahead[1])
    assert again["resync_required"] == "epoch_changed"
    assert again["epoch"] == told["epoch"] == current_epoch(store)


def ahead_of_feed(services: Services, phone: Phone) -> str:
    """A cursor that this server signed, at a place that its feed has not reached."""
    place = Cursor.read(services.sync.secret, phone.pull()["cursor"])
    assert place is not None
    return place.at(place.seq + 1000).write(services.sync.secret)


def test_p1_a_place_that_the_feed_has_reached_begins_no_epoch(phone: Phone, store: Session) -> None:
    running = current_epoch(store)
    phone.push(phone.create("customer", customer()))
    cursor = phone.pull()["cursor"]
    assert phone.pull(cursor).get("resync_required") is None
    assert current_epoch(store) == running


def test_p1_a_place_that_an_older_copy_lacks_begins_an_epoch_however_far_that_has_come_since(
    app: Flask, phone: Phone, manager: Phone
) -> None:
    with Backup(app) as backup:
        backup.take()
        phone.push(phone.create("customer", customer()))
        page = phone.pull()
        backup.put_back()
    for name in "bcd":
        manager.push(manager.create("customer", customer(name=name)))
    told = phone.pull(page["cursor"])
    assert (told["resync_required"], told["epoch"] == page["epoch"]) == ("cursor_ahead", False)


def test_p4_a_start_of_the_server_costs_no_device_its_place(app: Flask, phone: Phone) -> None:
    phone.push(phone.create("customer", customer()))
    page = phone.pull()
    for name in "bc":
        open_store(app)
        made = phone.create("customer", customer(name=name))
        phone.push(made)
        page, before = phone.pull(page["cursor"]), page
        assert page["epoch"] == before["epoch"]
        assert [item["record"] for item in page["items"]] == [made["record"]]


def test_p6_a_base_that_the_restored_server_forgot_overwrites_nothing(
    phone: Phone, manager: Phone, store: Session, clock: FixedClock
) -> None:
    """The phone saw version 3 before the restore; version 3 of today is another change."""
    made = phone.create("customer", customer(phone="1"))
    phone.push(made)
    before = current_epoch(store)
    begin_epoch(store, clock)
    for version, number in ((1, "2"), (2, "3")):
        manager.push(manager.patch(made, version, {"phone": number}))
    [told] = phone.push(phone.patch(made, 3, {"phone": "9"}, epoch=before))
    assert told["outcome"] == "conflict"
    assert fields_of(phone, made["record"])["phone"] == "3"
    [kept] = [item for item in phone.pull_all() if item["kind"] == "conflict"]
    assert kept["data"]["lost"] == {"phone": "9"}


def test_p6_a_base_of_this_epoch_counts_as_it_is(
    phone: Phone, manager: Phone, store: Session, clock: FixedClock
) -> None:
    made = phone.create("customer", customer(phone="1"))
    phone.push(made)
    name = begin_epoch(store, clock)
    manager.push(manager.patch(made, 1, {"phone": "2"}))
    [told] = phone.push(phone.patch(made, 2, {"phone": "9"}, epoch=name))
    assert told["outcome"] == "applied"


def test_p6_a_base_that_the_restore_kept_counts_as_it_is(
    phone: Phone, manager: Phone, store: Session, clock: FixedClock
) -> None:
    made = phone.create("customer", customer(phone="1"))
    phone.push(made)
    manager.push(manager.patch(made, 1, {"phone": "2"}))
    before = current_epoch(store)
    begin_epoch(store, clock)
    [told] = phone.push(phone.patch(made, 2, {"phone": "9"}, epoch=before))
    assert (told["outcome"], told["version"]) == ("applied", 3)


def test_p6_of_several_epochs_the_next_one_counts(
    phone: Phone, manager: Phone, store: Session, clock: FixedClock
) -> None:
    made = phone.create("customer", customer(phone="1"))
    phone.push(made)
    first = current_epoch(store)
    begin_epoch(store, clock)
    manager.push(manager.patch(made, 1, {"phone": "2"}))
    begin_epoch(store, clock)
    [told] = phone.push(phone.patch(made, 2, {"phone": "9"}, epoch=first))
    assert told["outcome"] == "conflict"


def test_p6_a_base_of_an_epoch_that_the_store_never_knew_has_seen_nothing(
    phone: Phone, manager: Phone
) -> None:
    made = phone.create("customer", customer(phone="1"))
    phone.push(made)
    manager.push(manager.patch(made, 1, {"phone": "2"}))
    [told] = phone.push(phone.patch(made, 2, {"phone": "9"}, epoch="e-00000000"))
    assert told["outcome"] == "conflict"


def test_p6_what_waits_from_before_is_decided_on_what_it_had_seen(
    phone: Phone, manager: Phone, store: Session, clock: FixedClock
) -> None:
    """The patch waits for its predecessor over a change of epochs."""
    made = phone.create("customer", customer(phone="1"))
    phone.push(made)
    late = phone.create("customer", customer(name="late"))
    patch = phone.patch(made, 2, {"phone": "9"}, after=late["id"])
    assert phone.push(patch)[0]["outcome"] == "waiting"
    begin_epoch(store, clock)
    manager.push(manager.patch(made, 1, {"phone": "2"}))
    phone.push(late)
    assert phone.push(patch)[0]["outcome"] == "conflict"


def test_p2_an_outcome_of_an_earlier_epoch_is_told_again_as_it_was(
    phone: Phone, store: Session, clock: FixedClock
) -> None:
    made = phone.create("customer", customer())
    [first] = phone.push(made)
    begin_epoch(store, clock)
    [again] = phone.push(made)
    assert (again["ack"], again["replay"]) == (first["ack"], True)


def test_the_start_of_an_epoch_says_why_it_began(store: Session, clock: FixedClock) -> None:
    assert epochs.changed_at(store) is None
    begin_epoch(store, clock)
    with transaction(store):
        assert epochs.changed_at(store) == clock.now()
