"""Traps 9 and 10: devices back after months, a server or a device put back. Both databases."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from fieldstamp import Client
from fieldstamp.testing import SeededEntropy
from server.extensions import db
from server.sync.aging import compact, mark_day
from server.sync.epochs import current_epoch, follow_epoch
from tests.backups import Backup
from tests.company import Company
from tests.company import FixedClock as OfficeClock
from tests.fleet import Fleet, acknowledged, held, jpeg, shop, synced, visit


@pytest.fixture
def fleet(app: Flask, company: Company, tmp_path: Path) -> Iterator[Fleet]:
    """Devices of the company."""
    fleet = Fleet(app, company, tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def rep(company: Company) -> str:
    """A rep in Shanghai."""
    return company.user()


def pass_days(store: Session, clock: OfficeClock, days: int) -> None:
    """Days go by, each with its night's work."""
    for _ in range(days):
        clock.advance(days=1)
        mark_day(store, clock.now())
        compact(store, clock.now())


def come_back(fleet: Fleet, device: Client, user: str) -> None:
    """The device is switched on again, and its person logs in."""
    fleet.log_in(device, user)
    synced(device)


@dataclass
class Years:
    """A desk that withdraws one shop after the other, while nights go by."""

    fleet: Fleet
    store: Session
    clock: OfficeClock
    rep: str
    chance: random.Random
    desk: Client
    shops: list[str]
    withdrawn: list[str] = field(default_factory=list)
    day: int = 0

    @property
    def live(self) -> list[str]:
        """The shops that nobody has withdrawn."""
        return [made for made in self.shops if made not in self.withdrawn]

    def pass_until(self, day: int) -> None:
        """Goes on to that day, with a withdrawal now and then."""
        while self.day < day:
            step = min(self.chance.randint(1, 120), day - self.day)
            pass_days(self.store, self.clock, step)
            self.day += step
            come_back(self.fleet, self.desk, self.rep)
            if len(self.live) > 4:
                self.withdrawn.append(self.chance.choice(self.live))
                self.desk.withdraw(self.withdrawn[-1])
                synced(self.desk)


@pytest.mark.parametrize("seed", range(3))
def test_trap_9_what_was_withdrawn_long_ago_is_not_brought_back_by_an_old_device(
    fleet: Fleet, store: Session, clock: OfficeClock, rep: str, seed: int
) -> None:
    chance, desk = random.Random(seed), fleet.enrol(rep)
    stale = [fleet.enrol(rep) for _ in range(4)]
    shops = [shop(desk, name=str(number)) for number in range(12)]
    for device in (desk, *stale):
        synced(device)
    for device in stale:
        for made in chance.sample(shops, 6):
            device.patch(made, {"phone": phone_of(device)})
    years = Years(fleet, store, clock, rep, chance, desk, shops)
    away = [*sorted(chance.randint(1, 200) for _ in stale[:3]), 450]
    for device, days in zip(stale, away, strict=True):
        years.pass_until(days)
        come_back(fleet, device, rep)
        assert_late_edits_are_kept(device, years.withdrawn)
    for device in (desk, *stale):
        come_back(fleet, device, rep)
        known = held(device)
        assert [made for made in years.withdrawn if made in known and known[made][2]] == []
        assert set(years.live) <= known.keys()
    assert years.withdrawn


def phone_of(device: Client) -> str:
    """What this device, and no other, writes."""
    return f"by {device.status().device}"


def assert_late_edits_are_kept(device: Client, withdrawn: list[str]) -> None:
    """P6: an edit of a record that was withdrawn meanwhile is a conflict that keeps its value."""
    edits = [one for one in device.mutations() if one.action == "patch"]
    assert {one.outcome for one in edits if one.record in withdrawn} <= {"conflict"}
    lost = {conflict["mutation"]: conflict["lost"] for conflict in device.conflicts()}
    in_conflict = {one.id for one in edits if one.outcome == "conflict"}
    assert {name: lost[name] for name in in_conflict} == {
        name: {"phone": phone_of(device)} for name in in_conflict
    }


def test_trap_10_a_server_put_back_gets_again_what_it_had_acknowledged(
    fleet: Fleet, app: Flask, clock: OfficeClock, rep: str
) -> None:
    device, witness = fleet.enrol(rep), fleet.enrol(rep)
    old = shop(device, name="before")
    synced(device)
    synced(witness)
    with Backup(app) as backup:
        backup.take()
        clock.advance(hours=1)
        device.patch(old, {"phone": "1"})
        device.patch(old, {"phone": "2"})
        fresh = shop(device, name="after")
        photo = device.attach(visit(device, fresh), jpeg(), tag="display")
        synced(device)
        synced(witness)
        before, ended = held(device), current_epoch(db.session())
        db.session.remove()
        acked = acknowledged(device)
        backup.put_back()
    device.patch(old, {"address": "unsent"})
    synced(device)
    assert current_epoch(db.session()) != ended
    assert acknowledged(device).keys() > acked.keys()
    assert set(acknowledged(device).values()) == {"applied"}
    assert {m.ack["epoch"] for m in device.mutations() if m.ack} > {ended}
    synced(witness)
    assert held(device).keys() == before.keys()
    assert held(witness) == held(device)
    assert device.get(old).data["phone"] == "2"
    assert device.get(old).data["address"] == "unsent"
    assert device.get(photo.id)["state"] == "verified"
    fleet.assert_like_fresh(device, rep)


def test_trap_10_what_was_withdrawn_is_not_live_again_on_a_device_after_a_new_epoch(
    fleet: Fleet, clock: OfficeClock, rep: str
) -> None:
    device = fleet.enrol(rep)
    made = shop(device)
    synced(device)
    device.withdraw(made)
    synced(device)
    device.patch(made, {"phone": "too late"})
    assert synced(device).conflicts == 1
    store = db.session()
    running = current_epoch(store)
    assert running is not None
    follow_epoch(store, clock, ended=running, reason="restored")
    db.session.remove()
    synced(device)
    assert [one for one, known in held(device).items() if known[0] == "customer" and known[2]] == []


def test_trap_10_two_copies_of_one_store_go_on_as_two_devices(
    fleet: Fleet, clock: OfficeClock, rep: str
) -> None:
    device = fleet.enrol(rep)
    made = shop(device)
    synced(device)
    device.close()
    fleet.copy("device0", "copy")
    one, two = fleet.open("device0"), fleet.open("copy", entropy=SeededEntropy(77))
    one.patch(made, {"phone": "one"})
    two.patch(made, {"phone": "two"})
    two.attach(two.get(made), jpeg(), tag="store_front")
    synced(one)
    report = synced(two)
    assert (report.conflicts, two.status().needs_you) == (1, ())
    assert one.status().device != two.status().device
    [conflict] = two.conflicts()
    assert conflict["lost"] == {"phone": "two"}
    one.patch(made, {"address": "one"})
    two.patch(made, {"channel": "two"})
    clock.advance(minutes=1)
    for copy in (one, two, one):
        synced(copy)
    assert held(one) == held(two)
    assert dict(one.get(made).data) | {"address": "one", "channel": "two"} == one.get(made).data
    chain = [m for m in two.mutations() if m.device == two.status().device]
    assert [(m.n, m.prev == "0" * 64) for m in chain] == [(1, True)]
    fleet.assert_like_fresh(two, rep)


def test_trap_10_a_store_put_back_goes_on_as_a_new_device_and_loses_nothing(
    fleet: Fleet, rep: str
) -> None:
    device = fleet.enrol(rep)
    made = shop(device)
    synced(device)
    device.close()
    fleet.copy("device0", "backup")
    device = fleet.open("device0")
    device.patch(made, {"phone": "lost here"})
    synced(device)
    device.close()
    back = fleet.open("backup", entropy=SeededEntropy(78))
    back.patch(made, {"address": "new"})
    synced(back)
    stands = back.get(made).data
    assert (stands["phone"], stands["address"]) == ("lost here", "new")
    fleet.assert_like_fresh(back, rep)
