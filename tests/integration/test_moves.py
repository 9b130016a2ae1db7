"""P5: records that move between regions and people. Both databases."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlalchemy.orm import Session

from server.db import transaction
from server.people import rights
from server.people.tables import RoleGrant
from server.sync.push import Envelope, push_batch
from tests.company import Company, FixedClock
from tests.phone import Phone, customer, new_id


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


def hand_over(
    company: Company, made: dict[str, Any], base: int, to: Phone, region: str
) -> dict[str, Any]:
    """The office gives a customer to another rep in another region."""
    manager = rights.load_principal(company.store, company.user(region="east"), device=None)
    mutation = {
        "id": new_id(),
        "action": "patch",
        "kind": "customer",
        "record": made["record"],
        "base": base,
        "set": {"owner": to.device.user, "region": company.regions[region]},
    }
    envelope = Envelope(sender=manager, writer="server")
    pushed = push_batch(company.services.sync, company.store, envelope, [mutation])
    result: dict[str, Any] = pushed.results[0]
    return result


def lose(phone: Phone, client: FlaskClient, company: Company) -> tuple[dict[str, Any], Phone, str]:
    """A customer that ``phone`` had and was told to be another's now, that one's phone, and where
    ``phone`` stood before."""
    made = phone.create("customer", customer())
    phone.push(made)
    cursor = phone.pull()["cursor"]
    other = Phone(client, company.rep("guangzhou"))
    hand_over(company, made, 1, other, "guangzhou")
    phone.pull(cursor)
    return made, other, cursor


def test_p5_a_customer_that_moves_takes_its_visits_and_photos_along(
    phone: Phone, client: FlaskClient, company: Company, store: Session
) -> None:
    made = phone.create("customer", customer())
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    report = phone.create("visit_report", {"visit": visit["record"], "summary": "好"})
    paid = {"kind": "meal", "amount": "10.00", "currency": "CNY", "date": "2026-03-01"}
    receipt = phone.create("receipt", paid)
    results = phone.push(made, visit, report, receipt)
    assert {result["outcome"] for result in results} == {"applied"}, results
    cursor = phone.pull()["cursor"]
    other = Phone(client, company.rep("guangzhou"))
    assert hand_over(company, made, 1, other, "guangzhou")["outcome"] == "applied"
    page = phone.pull(cursor)
    left = {item["record"] for item in page["items"] if item["item"] == "leave"}
    assert left == {made["record"], visit["record"], report["record"]}
    got = other.pull_all()
    assert [item["kind"] for item in got] == ["customer", "visit", "visit_report"]
    assert [item["version"] for item in got] == [2, 1, 1]
    mine = f"user:{phone.device.user}"
    [digest] = [told for told in phone.pull(page["cursor"])["digest"] if told["scope"] == mine]
    assert digest["count"] == 1


def test_p5_what_is_made_and_handed_over_in_one_batch_moves_with_its_parent(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    report = phone.create("visit_report", {"visit": visit["record"], "summary": "好"})
    other = Phone(client, company.rep("guangzhou"))
    assert hand_over(company, made, 1, other, "guangzhou")["outcome"] == "waiting"
    phone.push(made, visit, report)
    assert phone.pull_all() == []
    assert [item["kind"] for item in other.pull_all()] == ["customer", "visit", "visit_report"]


def test_p5_late_work_on_a_record_that_moved_is_parked_for_its_present_owner(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made, other, _cursor = lose(phone, client, company)
    [result] = phone.push(phone.patch(made, 1, {"phone": "5"}))
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "moved")
    assert "data" not in result
    held = {item["record"]: item for item in other.pull_all()}
    assert held[made["record"]]["data"].get("phone") is None
    assert held[result["parked"]]["data"]["set"] == {"phone": "5"}


def test_p5_a_record_that_only_its_creator_wrote_stays_open_until_the_loss_is_told(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    phone.push(made, visit)
    cursor = phone.pull()["cursor"]
    other = Phone(client, company.rep("guangzhou"))
    hand_over(company, made, 1, other, "guangzhou")
    [late] = phone.push(phone.patch(visit, 1, {"result": "done"}))
    assert (late["outcome"], late["version"]) == ("applied", 2)
    assert "data" not in late
    phone.pull(cursor)
    [told] = phone.push(phone.patch(visit, 2, {"result": "partly"}))
    assert told["problem"]["code"] == "moved"


def test_p5_a_create_under_a_parent_that_moved_is_taken_and_flagged(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made, other, _cursor = lose(phone, client, company)
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    [result] = phone.push(visit)
    assert (result["outcome"], result["flags"]) == ("applied", ["moved"])
    assert visit["record"] in {item["record"] for item in other.pull_all()}
    assert visit["record"] not in {item["record"] for item in phone.pull_all()}


def test_p5_work_goes_on_beneath_a_record_that_moved_in_the_same_push_and_in_later_ones(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    """A visit that was made offline keeps its own report and its later edits."""
    made, other, cursor = lose(phone, client, company)
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    report = phone.create("visit_report", {"visit": visit["record"], "summary": "好"})
    edit = phone.patch(visit, 0, {"result": "done"})
    results = phone.push(visit, report, edit)
    assert [one["outcome"] for one in results] == ["applied"] * 3, results
    phone.pull(cursor)
    more = phone.create("visit_report", {"visit": visit["record"], "summary": "更多"})
    later = phone.push(phone.patch(visit, 2, {"result": "partly"}), more)
    assert [one["outcome"] for one in later] == ["applied"] * 2, later
    assert not [one for one in (*results, *later) if "data" in one]
    held = {item["record"]: item for item in other.pull_all()}
    assert {visit["record"], report["record"], more["record"]} <= held.keys()
    assert held[visit["record"]]["data"]["result"] == "partly"


def test_p5_a_create_of_a_strangers_record_tells_nothing_of_it_in_the_same_push(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    stranger = Phone(client, company.rep("guangzhou"))
    again = {**stranger.create("customer", customer()), "record": made["record"]}
    taken, late = stranger.push(again, stranger.patch(made, 0, {"phone": "1"}))
    assert (taken["outcome"], taken["problem"]["code"]) == ("rejected", "id_taken")
    assert late["outcome"] == "waiting"


def test_p5_what_another_wrote_of_an_own_record_out_of_sight_is_written_no_more(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made, other, _cursor = lose(phone, client, company)
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    phone.push(visit)
    [theirs] = other.push(other.patch(visit, 1, {"result": "done"}))
    assert theirs["outcome"] == "applied"
    [late] = phone.push(phone.patch(visit, 1, {"result": "partly"}))
    assert (late["outcome"], late["problem"]["code"]) == ("rejected", "moved")
    assert "data" not in late


def test_p5_work_of_a_manager_who_lost_the_region_is_told_from_a_strangers(
    phone: Phone, client: FlaskClient, company: Company, store: Session, clock: FixedClock
) -> None:
    manager = Phone(client, company.manager())
    made = phone.create("customer", customer())
    phone.push(made)
    cursor = manager.pull()["cursor"]
    with transaction(store):
        store.execute(delete(RoleGrant).where(RoleGrant.user == manager.device.user))
    [early] = manager.push(manager.patch(made, 1, {"phone": "5"}))
    assert early["problem"]["code"] == "moved"
    clock.advance(minutes=1)
    assert manager.pull(cursor)["events"]
    [late] = manager.push(manager.patch(made, 1, {"phone": "6"}))
    assert late["problem"]["code"] == "moved"
    clock.advance(minutes=1)
    unseen = phone.create("customer", customer())
    phone.push(unseen)
    [strange] = manager.push(manager.patch(unseen, 1, {"phone": "7"}))
    assert strange["outcome"] == "waiting"


def test_p5_a_record_that_comes_back_is_held_again(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    cursor = phone.pull()["cursor"]
    other = Phone(client, company.rep("guangzhou"))
    hand_over(company, made, 1, other, "guangzhou")
    hand_over(company, made, 2, phone, "shanghai")
    [item] = phone.pull(cursor)["items"]
    assert (item["item"], item["version"]) == ("put", 3)
    assert {item["item"] for item in other.pull_all()} == {"leave"}


def test_p6_a_conflict_moves_with_its_record(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    manager = Phone(client, company.manager())
    manager.push(manager.patch(made, 1, {"address": "1"}))
    [lost] = phone.push(phone.patch(made, 1, {"address": "2"}))
    other = Phone(client, company.rep("guangzhou"))
    hand_over(company, made, 2, other, "guangzhou")
    assert lost["conflicts"][0] in {item["record"] for item in other.pull_all()}
    assert lost["conflicts"][0] not in {
        item["record"] for item in phone.pull_all() if item["item"] == "put"
    }


def test_p5_a_record_that_leaves_two_scopes_of_a_device_leaves_both(
    client: FlaskClient, company: Company
) -> None:
    """A manager's own customer is held by person and by region, and goes to another of each."""
    boss = Phone(client, company.manager("shanghai"))
    made = boss.create("customer", customer())
    boss.push(made)
    cursor = boss.pull()["cursor"]
    other = Phone(client, company.rep("guangzhou"))
    assert hand_over(company, made, 1, other, "guangzhou")["outcome"] == "applied"
    page = boss.pull(cursor)
    left = {(item["record"], item["scope"]) for item in page["items"] if item["item"] == "leave"}
    scopes = {f"user:{boss.device.user}", f"region:{company.regions['shanghai']}"}
    assert left == {(made["record"], scope) for scope in scopes}


def test_p5_what_a_stranger_sent_waits_on_when_somebody_who_lost_the_record_wakes_it(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    phone.pull()
    owner, stranger = (Phone(client, company.rep(place)) for place in ("guangzhou", "hangzhou"))
    assert hand_over(company, made, 1, owner, "guangzhou")["outcome"] == "applied"
    visit = stranger.create("visit", {"customer": made["record"], "purpose": "routine"})
    (waits,) = stranger.push(visit)
    assert waits["outcome"] == "waiting"
    phone.push(phone.create("visit", {"customer": made["record"], "purpose": "routine"}))
    phone.push(phone.patch(made, 1, {"phone": "021 1"}))
    path, headers = f"/v1/sync/mutations/{visit['id']}", stranger.device.headers
    assert stranger.client.get(path, headers=headers).json["outcome"] == "waiting"
