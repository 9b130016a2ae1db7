"""Incidents 4 to 7: what was deleted coming back, and old stores that pass for newer ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from fieldstamp import Client
from fieldstamp.testing import SeededEntropy
from server.sync.epochs import current_epoch, follow_epoch
from tests.backups import Backup
from tests.company import Company
from tests.fleet import Fleet, held, jpeg, of_kind, shop, synced, visit
from tests.incidents.otherside import OtherSide


def forget_place(device: Client) -> None:
    """The device keeps its records and has lost its place in the feed."""
    with device._store.write() as writing:
        writing.keep("cursor", "of nothing")


def offer_again(device: Client) -> None:
    """All that the device ever sent is unsent again, as after a restore of the server."""
    with device._store.write() as writing:
        writing.run("UPDATE mutation SET state = 'ready', laid = 1")


def live(device: Client) -> dict[str, tuple[str, int, str | None]]:
    """What the device holds and nobody has withdrawn."""
    return {record: known for record, known in held(device).items() if known[2] is not None}


@pytest.mark.parametrize("how", [forget_place, offer_again], ids=lambda how: how.__name__)
def test_incident_4_what_was_withdrawn_is_not_brought_back_by_a_device_that_still_has_it(
    fleet: Fleet, rep: str, other_side: OtherSide, how: Callable[[Client], None]
) -> None:
    maker, desk, idle = fleet.enrol(rep), fleet.enrol(rep), fleet.enrol(rep)
    gone, stays = shop(maker), shop(maker)
    photo = maker.attach(visit(maker, gone), jpeg()).id
    for device in (maker, desk, idle):
        synced(device)
    desk.withdraw(photo)
    desk.withdraw(gone)
    synced(desk)
    maker.patch(gone, {"phone": "late"})
    for device in (maker, idle):
        how(device)
        for _ in range(2):
            synced(device)
    assert other_side.live("customer") == [stays]
    assert other_side.live("photo") == []
    (conflict,) = maker.conflicts()
    assert conflict["lost"] == {"phone": "late"}
    fresh = fleet.enrol(rep)
    for device in (maker, desk, idle, fresh):
        synced(device)
    for device in (maker, desk, idle):
        assert live(device).keys().isdisjoint({gone, photo})
        assert live(device) == live(fresh)


def test_incident_5_content_from_before_a_reset_is_not_newer_for_its_higher_number(
    fleet: Fleet, rep: str, app: Flask, company: Company
) -> None:
    with Backup(app) as backup:
        desk, ahead = fleet.enrol(rep), fleet.enrol(rep)
        made = shop(desk, phone="1", address="1")
        synced(desk)
        backup.take()
        for number in range(2, 7):
            desk.patch(made, {"phone": str(number)})
            synced(desk)
        synced(ahead)
        assert ahead.get(made).version > 5
        forget_all_sent(desk)
        backup.put_back()
        begin_epoch(company)
        after = fleet.enrol(rep)
        synced(after)
        after.patch(made, {"address": "after the reset"})
        synced(after)
        ahead.patch(made, {"address": "before the reset"})
        synced(ahead)
        synced(ahead)
        assert ahead.get(made)["address"] == "after the reset"
        (conflict,) = ahead.conflicts()
        assert conflict["lost"] == {"address": "before the reset"}
        for device in (desk, ahead, after):
            synced(device)
            fleet.assert_like_fresh(device, rep)


def begin_epoch(company: Company) -> None:
    """What a restore does last."""
    ended = current_epoch(company.store)
    follow_epoch(company.store, company.services.clock, ended=str(ended), reason="restored")


def forget_all_sent(device: Client) -> None:
    """As if its mutations had been acknowledged longer ago than devices keep them."""
    with device._store.write() as writing:
        writing.run("UPDATE mutation SET settled_ms = 0")


def test_incident_6_a_place_in_the_feed_that_is_given_out_a_second_time_hides_nothing(
    fleet: Fleet, rep: str, app: Flask
) -> None:
    with Backup(app) as backup:
        desk, reader = fleet.enrol(rep), fleet.enrol(rep)
        shop(desk)
        synced(desk)
        backup.take()
        for _ in range(3):
            shop(desk)
        synced(desk)
        synced(reader)
        desk.close()
        backup.put_back()
        other = fleet.enrol(rep)
        again = [shop(other) for _ in range(5)]
        synced(other)
        synced(reader)
        assert set(again) <= set(of_kind(reader, "customer"))
        fleet.assert_like_fresh(reader, rep)


@pytest.mark.parametrize("back", ["copy", "wiped"])
def test_incident_7_a_device_that_was_put_back_deletes_nothing_on_the_server(
    fleet: Fleet, rep: str, other_side: OtherSide, tmp_path: Path, back: str
) -> None:
    device = fleet.enrol(rep)
    kept = shop(device)
    synced(device)
    device.close()
    fleet.copy("device0", "older")
    device = fleet.open("device0", entropy=SeededEntropy(70))
    newer = [shop(device) for _ in range(3)]
    photo = device.attach(visit(device, newer[0]), jpeg()).id
    device.patch(kept, {"phone": "newer"})
    synced(device)
    device.close()
    before = other_side.live("customer"), other_side.live("photo"), other_side.original(photo)
    if back == "copy":
        shutil.rmtree(tmp_path / "device0.db.blobs")
        restored = fleet.open("older", entropy=SeededEntropy(71))
    else:
        restored = fleet.enrol(rep)
    synced(restored)
    restored.patch(kept, {"address": "later"})
    for _ in range(2):
        synced(restored)
    assert before == (
        other_side.live("customer"),
        other_side.live("photo"),
        other_side.original(photo),
    )
    assert {kept, *newer} == set(of_kind(restored, "customer"))
    assert restored.get(kept)["phone"] == "newer"
    assert restored.get(kept)["address"] == "later"
    assert not restored.conflicts()
    assert held(restored)
    fleet.assert_like_fresh(restored, rep)
