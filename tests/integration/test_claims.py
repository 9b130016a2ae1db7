"""K2, R1: two records of the same are flagged, and a person is told of both. Both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.company import Company
from tests.domain.records import receipt
from tests.phone import Phone, customer

NAME, PHONE = "红星超市", "0571-8888 1234"
WIDE_PHONE = "０５７１８８８８１２３４"


@pytest.fixture
def reps(client: FlaskClient, company: Company) -> tuple[Phone, Phone]:
    """Two reps."""
    return Phone(client, company.rep()), Phone(client, company.rep())


@pytest.fixture
def manager(client: FlaskClient, company: Company) -> Phone:
    """Their region manager."""
    return Phone(client, company.manager())


def register(rep: Phone, /, **values: Any) -> dict[str, Any]:
    """A prospect with a phone number."""
    captured = {"wall": f"2026-11-22T09:00:0{rep.n}+08:00"}
    whole = customer(name=NAME, phone=PHONE) | values
    return rep.create("customer", whole, captured=captured)


def matches(phone: Phone) -> list[dict[str, Any]]:
    """The matches that a device holds."""
    return [one["data"] for one in phone.pull_all() if one.get("kind") == "claim_match"]


def test_k2_the_first_registration_to_arrive_holds_and_a_later_one_is_kept_and_flagged(
    reps: tuple[Phone, Phone], manager: Phone
) -> None:
    first, later = (
        register(reps[0]),
        register(reps[1], name="红星 超市", phone=WIDE_PHONE),
    )
    [held] = reps[0].push(first)
    [told] = reps[1].push(later)
    assert (held["outcome"], held["flags"]) == ("applied", [])
    assert (told["outcome"], told["flags"]) == ("applied", ["claim_duplicate"])
    [match] = matches(manager)
    assert (match["captured"], match["earlier_captured"]) == (
        later["captured"]["wall"],
        first["captured"]["wall"],
    )
    assert (match["record"], match["earlier"]) == (later["record"], first["record"])


def test_k2_p5_whoever_is_flagged_learns_nothing_of_the_other(
    reps: tuple[Phone, Phone], manager: Phone
) -> None:
    first = register(reps[0])
    reps[0].push(first)
    [told] = reps[1].push(register(reps[1]))
    assert first["record"] not in str(told)
    assert matches(reps[0]) == matches(reps[1]) == []
    assert len(matches(manager)) == 1


def test_k2_what_only_looks_a_little_alike_is_not_flagged(reps: tuple[Phone, Phone]) -> None:
    reps[0].push(register(reps[0]))
    results = reps[1].push(
        register(reps[1], phone="0571-8888 1235"),
        reps[1].create("customer", customer(name=NAME)),
        reps[1].create("customer", customer(name=NAME)),
    )
    assert [one["flags"] for one in results] == [[], [], []]


def test_k2_an_edit_that_makes_two_alike_is_flagged_once(
    reps: tuple[Phone, Phone], manager: Phone
) -> None:
    reps[0].push(register(reps[0]))
    other = register(reps[1], phone="1")
    reps[1].push(other)
    [told] = reps[1].push(reps[1].patch(other, 1, {"phone": PHONE}))
    assert told["flags"] == ["claim_duplicate"]
    reps[1].push(reps[1].patch(other, told["version"], {"channel": "KA"}))
    assert len(matches(manager)) == 1


def test_k2_a_key_that_its_holder_left_or_withdrew_is_free(reps: tuple[Phone, Phone]) -> None:
    first = register(reps[0])
    reps[0].push(first)
    reps[0].push(reps[0].patch(first, 1, {"phone": "1"}))
    second = register(reps[1])
    [told] = reps[1].push(second)
    assert told["flags"] == []
    reps[1].push(reps[1].withdraw(second, 1))
    assert reps[0].push(register(reps[0]))[0]["flags"] == []


def test_k2_a_refused_registration_holds_nothing(reps: tuple[Phone, Phone]) -> None:
    [refused] = reps[0].push(register(reps[0], customer_type="planet"))
    assert refused["outcome"] == "rejected"
    assert reps[1].push(register(reps[1]))[0]["flags"] == []


def test_k2_of_two_in_one_batch_the_second_is_flagged(reps: tuple[Phone, Phone]) -> None:
    results = reps[0].push(register(reps[0]), register(reps[0]))
    assert [one["flags"] for one in results] == [[], ["claim_duplicate"]]


def test_k2_b1_a_manager_answers_a_match_and_a_rep_may_not(
    reps: tuple[Phone, Phone], manager: Phone
) -> None:
    reps[0].push(register(reps[0]))
    reps[1].push(register(reps[1]))
    [item] = [one for one in manager.pull_all() if one.get("kind") == "claim_match"]
    [told] = manager.push(
        manager.seal(
            {
                "action": "patch",
                "kind": "claim_match",
                "record": item["record"],
                "base": 1,
                "set": {"answer": "same"},
            }
        )
    )
    assert told["outcome"] == "applied"
    assert matches(manager)[0]["state"] == "answered"


def test_k2_of_many_at_once_one_holds_the_key(app: Flask, company: Company) -> None:
    phones = [Phone(app.test_client(), company.rep()) for _ in range(6)]
    made = [register(phone) for phone in phones]
    with ThreadPoolExecutor(len(phones)) as crew:
        told = list(crew.map(lambda one: one[0].push(one[1])[0], zip(phones, made, strict=True)))
    assert sorted(len(one["flags"]) for one in told) == [0, 1, 1, 1, 1, 1]


def test_r1_the_same_number_seller_and_amount_twice_is_flagged_across_all_reps(
    reps: tuple[Phone, Phone], manager: Phone
) -> None:
    values = receipt(number="No. 0001", seller="东方酒店", amount="120.00")
    [first] = reps[0].push(reps[0].create("receipt", values))
    [second] = reps[1].push(reps[1].create("receipt", values))
    [other] = reps[1].push(reps[1].create("receipt", values | {"amount": "121.00"}))
    assert [one["flags"] for one in (first, second, other)] == [[], ["claim_duplicate"], []]
    assert matches(manager)[0]["record_kind"] == "receipt"
