"""What waits, and what is decided together: ``after``, groups, missing records. Both databases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from server.sync.kinds import Registry
from server.sync.waiting import sweep_waiting
from tests.company import Company, FixedClock
from tests.phone import Phone, customer, new_id


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


def fate(phone: Phone, made: dict[str, Any]) -> dict[str, Any]:
    """What became of a mutation."""
    path = f"/v1/sync/mutations/{made['id']}"
    told: dict[str, Any] = phone.client.get(path, headers=phone.device.headers).get_json()
    return told


def outcomes(results: list[dict[str, Any]]) -> list[str]:
    """The outcomes of results, in order."""
    return [result["outcome"] for result in results]


def grouped(phone: Phone, *sets: dict[str, Any], of: int | None = None) -> list[dict[str, Any]]:
    """Creates of customers in one group."""
    group = {"id": new_id(), "of": of or len(sets)}
    return [phone.create("customer", values, group=group) for values in sets]


def test_what_waits_is_decided_with_the_batch_that_brings_what_it_waits_for(phone: Phone) -> None:
    made = phone.create("customer", customer())
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    edit = phone.patch(visit, 1, {"result": "done"})
    assert outcomes(phone.push(edit, visit)) == ["waiting", "waiting"]
    phone.push(made)
    assert (fate(phone, visit)["outcome"], fate(phone, visit)["version"]) == ("applied", 1)
    assert (fate(phone, edit)["outcome"], fate(phone, edit)["version"]) == ("applied", 2)


def test_a_child_sent_before_its_parent_in_one_batch_is_taken(phone: Phone) -> None:
    made = phone.create("customer", customer())
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    assert outcomes(phone.push(visit, made)) == ["applied", "applied"]


def test_after_orders_mutations_of_different_records(phone: Phone) -> None:
    first = phone.create("customer", customer(name="先"))
    second = phone.create("customer", customer(name="后"), after=first["id"])
    [early] = phone.push(second)
    assert (early["outcome"], early["for"]) == ("waiting", [first["id"]])
    phone.push(first)
    assert fate(phone, second)["outcome"] == "applied"


def test_after_is_settled_by_any_final_outcome(phone: Phone) -> None:
    refused = phone.create("customer", {"name": "无类型"})
    second = phone.create("customer", customer(), after=refused["id"])
    assert outcomes(phone.push(refused, second)) == ["rejected", "applied"]


def test_a_group_waits_until_all_of_it_was_received(phone: Phone) -> None:
    one, two, three = grouped(phone, customer(), customer(), customer())
    assert outcomes(phone.push(one, three)) == ["waiting", "waiting"]
    assert phone.pull_all() == []
    assert outcomes(phone.push(two)) == ["applied"]
    assert outcomes(phone.push(one, two, three)) == ["applied"] * 3
    assert len(phone.pull_all()) == 3


def test_one_refusal_refuses_its_whole_group_and_nothing_else(phone: Phone) -> None:
    one, bad, three = grouped(phone, customer(), {"name": "无类型"}, customer())
    alone = phone.create("customer", customer())
    results = phone.push(one, bad, three, alone)
    assert outcomes(results) == ["rejected", "rejected", "rejected", "applied"]
    assert [r["problem"]["code"] for r in results[:3]] == ["group", "validation", "group"]
    assert results[0]["problem"]["cause"] == bad["id"]
    kinds = sorted(item["kind"] for item in phone.pull_all())
    assert kinds == ["customer", "parked", "parked", "parked"]


def test_a_group_whose_members_disagree_on_its_size_is_refused(phone: Phone) -> None:
    one, two = grouped(phone, customer(), customer())
    three = phone.create("customer", customer(), group={**one["group"], "of": 3})
    assert "rejected" in outcomes(phone.push(one, two, three))
    assert [item["kind"] for item in phone.pull_all()] == ["parked"] * 3


def test_a_group_that_waits_for_a_record_is_decided_with_it(phone: Phone) -> None:
    made = phone.create("customer", customer())
    group = {"id": new_id(), "of": 2}
    visit = phone.create("visit", {"customer": made["record"], "purpose": "sale"}, group=group)
    other = phone.create("customer", customer(), group=group)
    assert outcomes(phone.push(visit, other)) == ["waiting", "waiting"]
    assert [item["record"] for item in phone.pull_all()] == []
    phone.push(made)
    assert fate(phone, visit)["outcome"] == fate(phone, other)["outcome"] == "applied"


def test_p5_what_waits_for_anothers_record_is_not_decided_by_its_arrival(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    other = Phone(client, company.rep("guangzhou"))
    theirs = other.create("customer", customer())
    visit = phone.create("visit", {"customer": theirs["record"], "purpose": "routine"})
    phone.push(visit)
    assert outcomes(other.push(theirs)) == ["applied"]
    assert fate(phone, visit)["outcome"] == "waiting"


def test_p5_what_waits_is_decided_with_the_rights_of_its_own_sender(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    manager = Phone(client, company.manager())
    made = phone.create("customer", customer())
    visit = manager.create("visit", {"customer": made["record"], "purpose": "routine"})
    manager.push(visit)
    phone.push(made)
    assert fate(manager, visit)["outcome"] == "applied"
    assert fate(manager, visit)["ack"]["version"] == 1


def test_p6_a_revoked_device_hands_in_its_work_which_is_parked_for_its_manager(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer(), captured={"wall": "2026-03-01T10:00:00+08:00"})
    company.revoke(phone.device)
    [result] = phone.push(made)
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "device_revoked")
    assert "data" not in result
    manager = Phone(client, company.manager())
    [item] = manager.pull_all()
    assert (item["kind"], item["data"]["code"]) == ("parked", "device_revoked")
    assert item["data"]["set"] == made["set"]
    assert item["data"]["captured"] == {"wall": "2026-03-01T10:00:00+08:00"}


def test_p6_what_a_revoked_device_hands_in_is_seen_by_the_next_device_of_its_user(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    company.revoke(phone.device)
    phone.push(made)
    successor = Phone(client, company.device(phone.device.user))
    [item] = successor.pull_all()
    assert (item["kind"], item["data"]["set"]) == ("parked", made["set"])


TERM = timedelta(days=14)


def test_p8_what_waited_too_long_for_a_record_is_refused_and_kept(
    phone: Phone, company: Company, store: Session, clock: FixedClock
) -> None:
    visit = phone.create("visit", {"customer": new_id(), "purpose": "routine"})
    phone.push(visit)
    clock.advance(days=13)
    assert sweep_waiting(store, company.services.sync, term=TERM) == 0
    clock.advance(days=2)
    assert sweep_waiting(store, company.services.sync, term=TERM) == 1
    phone = Phone(phone.client, company.again(phone.device))
    [told] = phone.push(visit)
    assert (told["outcome"], told["replay"]) == ("rejected", True)
    assert told["problem"]["code"] == "unknown_reference"
    assert [item["data"]["code"] for item in phone.pull_all()] == ["unknown_reference"]


def test_p8_what_waits_for_a_kind_has_no_term_and_is_decided_once_the_kind_is_known(
    phone: Phone, company: Company, store: Session, clock: FixedClock
) -> None:
    made = phone.create("shop", customer())
    phone.push(made)
    clock.advance(days=400)
    sync = company.services.sync
    assert sweep_waiting(store, sync, term=TERM) == 0
    shop = replace(sync.registry.kinds["customer"], name="shop")
    upgraded = replace(sync, registry=Registry.of([*sync.registry.kinds.values(), shop]))
    assert sweep_waiting(store, upgraded, term=TERM) == 1
    phone = Phone(phone.client, company.again(phone.device))
    assert fate(phone, made)["outcome"] == "applied"


def test_p8_an_incomplete_group_is_refused_after_its_term(
    phone: Phone, company: Company, store: Session, clock: FixedClock
) -> None:
    one, two = grouped(phone, customer(), customer(), of=3)
    phone.push(one, two)
    clock.advance(days=15)
    assert sweep_waiting(store, company.services.sync, term=TERM) == 2
    phone = Phone(phone.client, company.again(phone.device))
    assert outcomes(phone.push(one, two)) == ["rejected", "rejected"]
