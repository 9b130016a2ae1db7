"""Ten ways in which a sync loses or doubles work, each tried on real devices. Both databases.

The first, a cursor that passes an uncommitted row, is in ``tests/concurrency/test_feed.py``; those
that need a server put back or a year of days are in ``test_traps_of_time.py``.
"""

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete

from fieldstamp import Client, OfflineError, Request, Response, Transport, _pull, _resync
from fieldstamp.testing import Faults, FaultyNet, FixedClock, SeededEntropy, WsgiTransport
from server.db import transaction
from server.people.principal import Role
from server.people.tables import RoleGrant
from tests.company import Company
from tests.company import FixedClock as OfficeClock
from tests.fleet import Fleet, acknowledged, held, jpeg, of_kind, shop, synced, visit

ROOT = Path(__file__).parents[2]


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


class Recorder:
    """Keeps every answer, to be given again."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.answers: list[Response] = []

    def send(self, request: Request) -> Response:
        answer = self._inner.send(request)
        self.answers.append(answer)
        return answer

    def save(self, file: Path) -> Path:
        """Writes the answers to a file."""
        told = [
            {
                "status": answer.status,
                "headers": dict(answer.headers),
                "body": base64.b64encode(answer.body).decode(),
            }
            for answer in self.answers
        ]
        file.write_text(json.dumps(told))
        return file


@pytest.mark.parametrize("way", ["pull", "snapshot"])
def test_trap_2_a_kill_between_any_two_statements_of_a_page_leaves_nothing_by_halves(
    fleet: Fleet, app: Flask, rep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(_pull, "_PAGE", 4)
    monkeypatch.setattr(_resync, "_PAGE", 4)
    other, recorder = fleet.enrol(rep), Recorder(WsgiTransport(app))
    device = fleet.enrol(rep, recorder)
    shops = [shop(other, name=str(number)) for number in range(4)]
    synced(other)
    synced(device)
    for number, one in enumerate(shops[:2]):
        other.patch(one, {"phone": str(number)})
        visit(other, one)
    other.withdraw(shops[2])
    synced(other)
    if way == "snapshot":
        with device._store.write() as writing:
            writing.keep("cursor", "not one of the server's")
    before = tmp_path / "before.db"
    source = Path(device._store.path)
    before.write_bytes(source.read_bytes())
    recorder.answers.clear()
    synced(device)
    killed = tmp_path / "killed"
    killed.mkdir()
    answers = recorder.save(tmp_path / "answers.json")
    told = subprocess.run(
        [sys.executable, "-m", "tests.integration.killed_when_applying", before, answers, killed],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    stores = int(told.stdout)
    assert stores > 60
    for number in range(1, stores + 1):
        survivor = fleet.open(f"killed/{number}")
        report = survivor.sync().run()
        assert (report.synced, report.digest_mismatch) == (True, ()), (number, report)
        assert held(survivor) == held(device), number
        survivor.close()


class LosesAnswers:
    """Each request takes effect, and the first ``times`` answers to it never arrive."""

    def __init__(self, inner: Transport, times: int) -> None:
        self._inner = inner
        self._times = times
        self._seen: Counter[tuple[str, str, bytes]] = Counter()

    def send(self, request: Request) -> Response:
        answer = self._inner.send(request)
        key = (request.method, request.url, request.body)
        self._seen[key] += 1
        if self._seen[key] <= self._times:
            raise OfflineError("the answer was lost")
        return answer


@pytest.mark.parametrize("times", [1, 2, 4])
def test_trap_3_a_lost_answer_makes_neither_a_second_effect_nor_a_conflict(
    fleet: Fleet, app: Flask, rep: str, times: int
) -> None:
    device = fleet.enrol(rep)
    first = shop(device)
    synced(device)
    device.close()
    device = fleet.open("device0", LosesAnswers(WsgiTransport(app), times))
    device.patch(first, {"phone": "1"})
    device.patch(first, {"phone": "2", "address": "人民路"})
    with device.group() as group:
        second = group.create("customer", {"name": "b", "customer_type": "store"})
        group.patch(first, {"channel": "direct"})
    photo = device.attach(device.get(first), jpeg(), tag="store_front")
    for _ in range(40):
        if device.sync().run().synced:
            break
    assert device.status().synced, device.outbox()
    assert set(acknowledged(device).values()) == {"applied"}
    fresh = fleet.enrol(rep)
    synced(fresh)
    assert held(fresh) == held(device)
    assert (fresh.get(first).version, fresh.get(second).version) == (4, 1)
    assert fresh.get(first)["phone"] == "2"
    assert fresh.get(photo.id)["state"] == "verified"
    assert (fresh.conflicts(), fresh.parked()) == ([], [])


class FailsToPush:
    """A server that takes no mutations for a while, and goes on sending records."""

    at = "/push"

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.fails = True

    def send(self, request: Request) -> Response:
        if self.fails and request.url.endswith(self.at):
            headers = {"content-type": "application/problem+json"}
            return Response(status=500, headers=headers, body=b'{"code": "internal"}')
        return self._inner.send(request)


class FailsToPull(FailsToPush):
    """A server that takes mutations and sends no records for a while."""

    at = "/pull"


def test_p5_what_only_the_answer_to_a_push_brought_goes_with_the_scope_that_it_was_in(
    fleet: Fleet, app: Flask, company: Company, rep: str
) -> None:
    own, user = fleet.enrol(rep), company.user(Role.REGION_MANAGER, "shanghai")
    made = shop(own)
    synced(own)
    manager = fleet.enrol(user, net := FailsToPull(WsgiTransport(app)))
    net.fails = False
    synced(manager)
    seen = visit(manager, made)
    net.fails = True
    assert not manager.sync().run().synced
    assert seen in held(manager)
    with transaction(company.store):
        company.store.execute(delete(RoleGrant).where(RoleGrant.user == user))
    net.fails = False
    synced(manager)
    assert held(manager) == {}
    assert [one.outcome for one in manager.mutations()] == ["applied"]


def test_trap_4_a_pull_before_the_push_does_not_hide_the_conflict(
    fleet: Fleet, app: Flask, rep: str
) -> None:
    other = fleet.enrol(rep)
    device = fleet.enrol(rep, net := FailsToPush(WsgiTransport(app)))
    made = shop(other, phone="0")
    synced(other)
    net.fails = False
    synced(device)
    net.fails = True
    device.patch(made, {"phone": "mine"})
    other.patch(made, {"phone": "theirs"})
    synced(other)
    assert not device.sync().run().synced
    assert held(device)[made][1] == 2
    assert device.get(made)["phone"] == "mine"
    net.fails = False
    assert synced(device).conflicts == 1
    assert device.get(made)["phone"] == "theirs"
    [conflict] = device.conflicts()
    assert (conflict["kept"], conflict["lost"]) == ({"phone": "theirs"}, {"phone": "mine"})
    device.restore(conflict.id)
    synced(device)
    assert (device.get(made)["phone"], device.conflicts()) == ("mine", [])


@pytest.mark.parametrize("pulls_between", [False, True])
def test_trap_5_of_a_chain_of_own_edits_only_the_field_of_another_is_in_conflict(
    fleet: Fleet, app: Flask, company: Company, rep: str, pulls_between: bool
) -> None:
    net = FailsToPush(WsgiTransport(app))
    device = fleet.enrol(rep, net)
    manager = fleet.enrol(company.user(Role.REGION_MANAGER, "shanghai"))
    net.fails = False
    made = shop(device, phone="0", address="0", channel="0")
    synced(device)
    synced(manager)
    device.patch(made, {"phone": "1"})
    device.patch(made, {"phone": "2", "address": "mine"})
    net.fails = True
    manager.patch(made, {"address": "theirs", "business_profile": "new"})
    synced(manager)
    if pulls_between:
        device.sync().run()
    device.patch(made, {"phone": "3", "channel": "3"})
    net.fails = False
    assert synced(device).conflicts == 1
    [conflict] = device.conflicts()
    assert conflict["fields"] == ["address"]
    assert conflict["lost"] == {"address": "mine"}
    data = device.get(made).data
    stands = {"phone": "3", "address": "theirs", "channel": "3", "business_profile": "new"}
    assert {name: data[name] for name in stands} == stands
    synced(manager)
    assert held(manager)[made] == held(device)[made]


@dataclass
class Market:
    """A rep with a customer and a visit, the manager of the market, and the manager above."""

    fleet: Fleet
    company: Company
    customer: str = ""
    people: dict[str, str] = field(default_factory=dict)
    devices: dict[str, Client] = field(default_factory=dict)

    def settle(self) -> None:
        """Everybody has everything."""
        company = self.company
        manager = company.user(Role.REGION_MANAGER, "shanghai")
        region = company.regions["hangzhou"]
        with transaction(company.store):
            company.store.add(RoleGrant(user=manager, role=Role.REP.value, region=region))
        above = company.user(Role.REGION_MANAGER, "east")
        self.people = {"rep": company.user(), "manager": manager, "above": above}
        self.devices = {name: self.fleet.enrol(user) for name, user in self.people.items()}
        self.customer = shop(self.devices["rep"])
        visit(self.devices["rep"], self.customer)
        shop(self.devices["rep"], name="stays")
        for device in self.devices.values():
            synced(device)
        assert {self.customer} < held(self.devices["manager"]).keys()

    def withdraw(self, actor: Client) -> None:
        """The customer is withdrawn."""
        actor.withdraw(self.customer)

    def move(self, actor: Client) -> None:
        """The customer is placed in another market."""
        actor.patch(self.customer, {"region": self.company.regions["hangzhou"]})

    def hand_over(self, actor: Client) -> None:
        """The office gives the customer to a rep of another market; ``actor`` writes meanwhile."""
        actor.patch(self.customer, {"phone": "late"})
        to = self.company.user(region="guangzhou")
        self.fleet.give(self.customer, to=to, region="guangzhou")

    def role_loss(self, actor: Client) -> None:
        """The manager is none any more; ``actor`` writes meanwhile."""
        actor.patch(self.customer, {"phone": "late"})
        store, role = self.company.store, RoleGrant.role == Role.REGION_MANAGER.value
        with transaction(store):
            lost = (RoleGrant.user == self.people["manager"]) & role
            store.execute(delete(RoleGrant).where(lost))


@pytest.mark.parametrize("days", [0, 90])
@pytest.mark.parametrize("by", ["other device", "own device"])
@pytest.mark.parametrize("change", ["withdraw", "move", "hand_over", "role_loss"])
def test_trap_6_what_is_out_of_scope_goes_and_what_is_in_scope_stays(
    fleet: Fleet, company: Company, clock: OfficeClock, change: str, by: str, days: int
) -> None:
    market = Market(fleet, company)
    market.settle()
    # Who is handed a customer away, or loses a role, is the one to look at.
    watched = "rep" if (change, by) == ("hand_over", "own device") else "manager"
    actor = market.devices[watched if by == "own device" else "above"]
    getattr(market, change)(actor)
    if by == "other device":
        actor.sync().run()
    clock.advance(days=days)
    device = market.devices[watched]
    if days:
        fleet.log_in(device, market.people[watched])
    synced(device)
    fleet.assert_like_fresh(device, market.people[watched])
    is_here = market.customer in held(device)
    assert is_here == (change == "withdraw"), held(device)
    if is_here:
        assert device.get(market.customer).withdrawn
    assert all(mutation.ack for mutation in actor.mutations())


def test_trap_7_unsent_work_and_half_sent_photos_of_a_customer_that_was_handed_over_arrive(
    fleet: Fleet, app: Flask, company: Company, rep: str
) -> None:
    net = FaultyNet(WsgiTransport(app), Faults())
    device = fleet.enrol(rep, net)
    heir = company.user(region="guangzhou")
    receiver = fleet.enrol(heir)
    made = shop(device)
    went = visit(device, made)
    synced(device)
    photos = [device.attach(device.get(went), jpeg(500), tag="display") for _ in range(3)]
    net.faults = Faults(cut=1)
    device.sync().run()
    assert [item.what for item in device.outbox()] == ["upload"] * 3
    sent = {mutation.id for mutation in device.mutations()}
    device.patch(made, {"phone": "5"})
    device.patch(went, {"topics": "新品"})
    device.patch(went, {"needs": "样品"})
    report = device.create("visit_report", {"visit": went, "summary": "好"})
    again = visit(device, made)
    fleet.give(made, to=heir, region="guangzhou")
    net.faults = Faults()
    told = device.sync().run()
    assert (told.synced, told.pending, told.photos_verified) == (True, 0, 3), told
    unsent = {n: o for n, o in acknowledged(device).items() if n not in sent}
    assert len(unsent) == 5
    synced(receiver)
    taken = {name for name, outcome in unsent.items() if outcome == "applied"}
    assert set(of_kind(receiver, "parked")) == unsent.keys() - taken
    assert {receiver.get(photo.id)["state"] for photo in photos} == {"verified"}
    assert {report.id, again} <= held(receiver).keys()
    kinds = {known[0] for known in held(device).values()}
    assert kinds <= {"parked"}
    fleet.give(made, to=rep, region="shanghai")
    synced(device)
    assert {made, went, report.id, again, *(photo.id for photo in photos)} <= held(device).keys()
    fleet.assert_like_fresh(device, rep)


@pytest.mark.parametrize("seed", range(8))
def test_trap_8_after_partitions_and_kills_the_queue_drains_in_two_steps(
    fleet: Fleet, app: Flask, rep: str, seed: int
) -> None:
    bad = Faults(drop_request=0.25, drop_answer=0.25, duplicate=0.15, cut=0.25, portal=0.1)
    net, clock = FaultyNet(WsgiTransport(app), Faults(), seed=seed), FixedClock()
    device = fleet.enrol(rep, net, clock=clock)
    net.faults = bad
    made: list[str] = []
    for round_ in range(10):
        made.append(shop(device, name=f"{seed} {round_}"))
        device.attach(device.get(made[-1]), jpeg(), tag="store_front")
        device.patch(made[0], {"phone": str(round_)})
        for step, _progress in enumerate(device.sync()):
            if step == (seed + round_) % 7:
                break  # the process dies here
        device.close()
        entropy = SeededEntropy(1000 * seed + round_)
        device = fleet.open("device0", net, clock=clock, entropy=entropy)
        clock.pass_time(20)
    net.faults = Faults()
    for _ in range(2):
        clock.pass_time(device.status().retry_in_s)
        report = device.sync().run()
        if report.synced:
            break
    assert report.synced, (report, device.outbox())
    clock.pass_time(86_400)
    assert device.watch() is None
    assert device.status().stalls == 0
    fleet.assert_like_fresh(device, rep)
    assert set(made) <= held(device).keys()
    assert device.get(made[0])["phone"] == "9"
