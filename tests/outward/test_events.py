"""Which events there are, when they become public, and that none is lost or doubled."""

import orjson
import pytest
from sqlalchemy import select

from server.domain.evidence.actions import SERVER
from server.outward import delivering, following
from server.outward.forgetting import forget_events
from server.outward.tables import Event, Place
from server.people.principal import Role
from server.sync.tables import FeedHead
from server.work.rounds import run_round
from tests.domain.disputes import Dispute
from tests.domain.records import case, photo, signature, visit
from tests.outward.receivers import Receiver
from tests.outward.site import Site
from tests.pictures import draw
from tests.uploads import Carrier, created, photo_values, receipt_values

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

CREATED, CHANGED, DECIDED = "case.created", "case.changed_state", "case.decided"


def declare(carrier: Carrier, *contents: bytes) -> tuple[str, list[str]]:
    """A receipt with photos of ``contents``, in one push; the ids of all."""
    record = carrier.new_id()
    photos = [carrier.new_id() for _ in contents]
    carrier.push(
        created(carrier.new_id, "receipt", record, receipt_values()),
        *(
            created(carrier.new_id, "photo", photo, photo_values(record, content))
            for photo, content in zip(photos, contents, strict=True)
        ),
    )
    return record, photos


def test_incident_14_no_event_goes_out_before_all_attachments_have_arrived(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    carrier, contents = site.carrier(), (draw(seed=1), draw(seed=2))
    record, photos = declare(carrier, *contents)
    site.work()
    carrier.send(photos[0], contents[0])
    site.work()
    assert (receiver.got, site.issued) == ([], [])
    assert [one.waits_for for one in site.held] == [(f"photo {photos[1]} declared",)]

    carrier.send(photos[1], contents[1])
    site.work()
    (told,) = receiver.got
    assert told.event["type"] == CREATED
    named = told.event["data"]["attachments"]
    assert {one["record"] for one in named} == set(photos)
    assert told.event["data"]["record"] == record
    assert site.held == []


@on_sqlite
def test_incident_14_bytes_that_were_refused_are_waited_for_and_a_withdrawn_photo_is_not(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    carrier, content = site.carrier(), draw()
    _record, (photo,) = declare(carrier, content)
    carrier.send(photo, content[:-1] + bytes([content[-1] ^ 1]))
    site.work()
    assert [one.waits_for for one in site.held] == [(f"photo {photo} refused",)]
    version = site.desk.record(photo).version
    withdraw = {"action": "withdraw", "kind": "photo", "record": photo, "base": version}
    carrier.push({"id": carrier.new_id(), "schema": 1, "app": "1.0.0", **withdraw})
    site.work()
    assert receiver.types == [CREATED]
    assert receiver.got[0].event["data"]["attachments"] == []


@on_sqlite
def test_a_change_of_state_and_a_decision_follow_the_creation_in_their_order(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    record = site.receipt()
    site.decide(record, "returned")
    site.after(minutes=1)
    assert receiver.types == [CREATED, CHANGED, DECIDED]
    changed, decided = (one.event["data"] for one in receiver.got[1:])
    assert (changed["from"], changed["state"]) == ("submitted", "returned")
    assert decided["verdict"] == "returned"
    assert decided["link"].endswith(f"/office/records/{record}")


@on_sqlite
def test_k4_an_event_says_nothing_of_what_the_record_says(site: Site, receiver: Receiver) -> None:
    site.hook(receiver)
    site.decide(site.receipt())
    site.after(minutes=1)
    said = "".join(one.body for one in receiver.got)
    for secret in ("老盛昌", "86.50", "证据不足", "2026-03-01"):
        assert secret not in said


@on_sqlite
def test_b2_a_second_decision_that_was_taken_back_leaves_the_record_as_it_is_heard_of(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    record = site.receipt()
    site.decide(record, "accepted")
    site.after(minutes=1)
    site.decide(record, "rejected")
    site.desk.undo(site.manager, record)
    site.after(minutes=1)
    last = receiver.got[-1].event["data"]
    assert (last["from"], last["state"]) == ("accepted", site.desk.record(record).data["state"])


@on_sqlite
def test_b2_a_decision_is_heard_of_when_it_can_no_longer_be_taken_back(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    record = site.receipt()
    site.decide(record)
    site.after(seconds=29)
    assert receiver.types == [CREATED]
    site.after(seconds=2)
    assert receiver.types == [CREATED, CHANGED, DECIDED]


def test_b2_a_decision_that_was_taken_back_in_time_is_never_heard_of(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    record = site.receipt()
    site.work()
    site.decide(record, "rejected")
    site.after(seconds=10)
    site.desk.undo(site.manager, record)
    site.after(minutes=5)
    assert receiver.types == [CREATED]
    site.decide(record, "accepted")
    site.after(minutes=5)
    assert [one.event["data"].get("state") for one in receiver.got[:2]] == ["submitted", "accepted"]


def test_b2_a_verdict_taken_back_after_a_finding_of_the_worker_is_never_heard_of(
    site: Site,
) -> None:
    dispute = Dispute(site.company)
    found = dispute.submitted()
    dispute.decide(dispute.officer, found, "accepted")
    decided = dispute.record(found).version
    site.work()
    site.store.rollback()  # what was read before the worker wrote
    assert dispute.record(found).version > decided
    dispute.undo(dispute.officer, found)
    site.work()
    events = site.store.scalars(select(Event).where(Event.record == found).order_by(Event.key))
    assert [orjson.loads(one.facts).get("state") for one in events] == ["unsigned", "submitted"]


def test_x8_a_missed_deadline_is_told_once(site: Site, receiver: Receiver) -> None:
    site.hook(receiver)
    record = site.receipt()
    site.work()
    site.after(days=30)
    site.after(days=30)
    missed = [one for one in receiver.got if one.event["type"] == "deadline.missed"]
    assert [one.event["data"]["record"] for one in missed] == [record]
    assert missed[0].event["data"]["due_at"] < missed[0].event["timestamp"]


def test_nothing_is_lost_and_nothing_doubled_where_the_worker_breaks_off(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.hook(receiver)
    records = {site.receipt() for _ in range(3)}

    def die(*_given: object) -> None:
        raise OSError("the machine is gone")

    with monkeypatch.context() as broken:
        broken.setattr(following, "fan_out", die)
        run_round(site.app)
    assert receiver.got == []
    site.work()
    assert {one.event["data"]["record"] for one in receiver.got} == records
    assert len(receiver.got) == len(set(receiver.ids)) == 3


@on_sqlite
def test_an_event_has_the_same_id_when_it_is_taken_down_again(
    site: Site, receiver: Receiver
) -> None:
    """After a restore the same mutations come again from the devices."""
    site.hook(receiver)
    site.receipt()
    site.work()
    (event,) = site.store.scalars(select(Event))
    assert event.id == receiver.ids[0] == orjson.loads(event.body or "")["id"]
    assert receiver.got[0].headers["webhook-id"].startswith("evt_")


def test_events_beyond_one_page_of_the_feed_all_come(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PAGE", 3)
    records = [site.receipt() for _ in range(10)]
    site.work()
    assert sorted(record for _type, record in site.issued) == sorted(records)
    assert len(site.issued) == 10
    head = site.store.scalar(select(FeedHead.seq))
    assert site.store.scalar(select(Place.feed)) == head  # P4: ahead of it, a change is passed by


def test_a_worker_that_dies_after_sending_sends_again_under_the_same_id(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_given: object) -> None:
        raise OSError("the machine is gone")

    site.hook(receiver)
    site.receipt()
    with monkeypatch.context() as broken:
        broken.setattr(delivering, "_settle", die)
        site.work()
    site.work()
    assert len(receiver.got) == 1
    site.after(minutes=3)
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1


def test_two_workers_never_claim_the_same_delivery(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0.2)
    site.hook(receiver)
    site.receipt()
    receiver.gate.clear()
    run_round(site.app)
    site.outward.flying.clear()  # another process knows nothing of the first one's runs
    run_round(site.app)
    assert site.outward.flying == {}
    receiver.wait_for_one()
    receiver.gate.set()
    assert len(receiver.got) == 1


@on_sqlite
def test_what_a_rep_takes_back_is_told(site: Site, receiver: Receiver) -> None:
    site.hook(receiver)
    record = site.receipt()
    version = site.desk.record(record).version
    withdraw = {"action": "withdraw", "kind": "receipt", "record": record, "base": version}
    site.desk.push(site.rep, withdraw)
    site.work()
    assert [one.event["data"]["state"] for one in receiver.got] == ["submitted", "withdrawn"]


def test_events_are_forgotten_after_90_days_and_nothing_comes_a_second_time(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    site.receipt()
    site.after(days=30)
    told = len(receiver.got)
    assert receiver.types[-1] == "deadline.missed"
    site.after(days=89)
    assert [type_ for type_, _record in site.issued][-1] == "deadline.missed"
    site.after(days=2)
    assert site.issued == []
    site.after(days=1)
    assert len(receiver.got) == told


def test_p6_what_is_still_on_its_way_is_not_forgotten_after_90_days(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    site.receipt()
    following.follow(site.store, site.outward)
    site.clock.advance(days=91)  # in which nothing was at work
    assert forget_events(site.store, site.outward) == 0
    site.work()
    assert CREATED in receiver.types


def arrive(site: Site, record: str) -> None:
    """Tells a photo or signature that its bytes are verified, as the worker does."""
    known = site.desk.record(record)
    told = {"action": "patch", "kind": known.kind, "record": record, "base": known.version}
    wire = {**told, "set": {"state": "verified"}}
    assert site.desk.send(SERVER, wire, writer="server")["outcome"] in {"applied", "merged"}


@on_sqlite
def test_incident_14_what_hangs_beneath_a_report_is_waited_for_too(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver, kinds=["visit"])
    customer = site.desk.create(site.rep, "customer", name="红星商店", customer_type="store")
    seen = site.desk.create(site.rep, "visit", **visit(customer=customer))
    told = site.desk.create(site.rep, "visit_report", visit=seen, summary="ok")
    beneath = photo(parent_kind="visit_report", parent=told)
    shot = site.desk.create(site.rep, "photo", **beneath)
    site.work()
    assert receiver.got == []
    arrive(site, shot)
    site.work()
    assert [one["record"] for one in receiver.got[0].event["data"]["attachments"]] == [shot]


@on_sqlite
def test_a_case_that_goes_through_states_is_decided_by_the_verdict_that_ends_it(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    market = site.rep.home_region
    found = site.desk.create(site.rep, "cross_region_case", **case(affected_market=market))
    site.work()
    number = site.desk.data(found)["number"]
    assert [one.event["data"]["number"] for one in receiver.got] == [number]
    for part in ("affected_dealer", "region_manager"):
        arrive(site, site.desk.create(site.rep, "signature", **signature(part, parent=found)))
    officer = site.desk.reviewer(Role.MARKET_OFFICER, None)
    site.desk.decide(officer, found, "accepted")
    site.after(minutes=1)
    site.desk.decide(officer, found, "nobody_accused")
    site.after(minutes=1)
    assert DECIDED not in receiver.types
    for verdict in ("facts_verified", "upheld"):
        site.desk.decide(officer, found, verdict)
        site.after(minutes=1)
    assert receiver.types.count(DECIDED) == 1
    told = [one.event["data"] for one in receiver.got if one.event["data"]["record"] == found]
    assert told[-1]["verdict"] == "upheld"
    states = [one.get("state") for one in told[:-1]]
    assert states == ["unsigned", "submitted", "notice", "facts", "deciding", "upheld"]
