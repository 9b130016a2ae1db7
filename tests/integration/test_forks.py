"""A copied or rolled-back store: noticed, kept, never taken for the other one. Both databases."""

from copy import copy

import pytest
from flask.testing import FlaskClient

from tests.company import Company
from tests.phone import Phone, customer


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


def test_a_second_mutation_at_a_known_place_is_taken_and_marked(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    copied = copy(phone)
    here, there = phone.patch(made, 1, {"phone": "1"}), copied.patch(made, 1, {"address": "2"})
    [first] = phone.push(here)
    [second] = copied.push(there)
    assert "fork" not in first
    assert (second["outcome"], second["fork"]) == ("merged", True)
    [again] = copied.push(there)
    assert (again["outcome"], again["fork"], again["replay"]) == ("merged", True, True)


def test_p6_edits_of_two_copies_of_a_store_never_count_as_one_device(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    copied = copy(phone)
    phone.push(phone.patch(made, 1, {"phone": "here"}))
    [lost] = copied.push(copied.patch(made, 1, {"phone": "there"}))
    assert (lost["outcome"], lost["fork"]) == ("conflict", True)
    held = {item["record"]: item["data"] for item in phone.pull_all()}
    assert held[lost["conflicts"][0]]["lost"] == {"phone": "there"}


def test_an_own_chain_of_edits_is_not_a_fork_and_makes_no_conflict(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    edits = [phone.patch(made, 1, {"phone": str(n)}) for n in range(3)]
    results = phone.push(*reversed(edits))
    assert [result["outcome"] for result in results] == ["applied"] * 3
    assert not any("fork" in result for result in results)
    [item] = phone.pull_all()
    assert item["data"]["phone"] == "2"


def test_p6_a_mutation_that_names_anothers_device_is_refused_and_kept(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    phone.push(phone.patch(made, 1, {"phone": "mine"}))
    manager = Phone(client, company.manager())
    posing = manager.patch(made, 1, {"phone": "theirs"}, device=phone.device.id, n=99)
    [result] = manager.push(posing)
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "validation")
    held = {item["record"]: item["data"] for item in phone.pull_all()}
    assert held[made["record"]]["phone"] == "mine"


def test_a_new_device_hands_in_what_the_old_one_of_the_same_person_sealed(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    newer = Phone(client, company.device(phone.device.user))
    [result] = newer.push(made)
    assert (result["outcome"], result["version"]) == ("applied", 1)
