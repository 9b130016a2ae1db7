"""X1, X6: no two records are called by the same number. Both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.domain.numbers import say_number
from server.extensions import db
from server.sync import queries
from tests.company import Company
from tests.domain.records import case
from tests.phone import Phone
from tests.statements import counting

TWINS = ("01934f2a-1c00-77b9-a9d8-c2cf5d6db689", "01934f2a-1c00-71b7-a77a-39be20f9edba")
"""Two ids of 750,000 whose first numbers are the same."""


@pytest.fixture
def phones(client: FlaskClient, company: Company) -> tuple[Phone, Phone]:
    """Two reps of one region."""
    return Phone(client, company.rep()), Phone(client, company.rep())


@pytest.fixture
def found(company: Company) -> dict[str, Any]:
    """What stands in a case."""
    return case(affected_market=company.regions["shanghai"])


def seal(phone: Phone, record: str, values: dict[str, Any], **about: str) -> dict[str, Any]:
    """A new case, sealed as that record."""
    wire = {"action": "create", "kind": "cross_region_case", "record": record, "base": 0}
    return phone.seal({**wire, **about, "set": values})


def number_of(record: str) -> str:
    """The number that a record has."""
    found = queries.find_record(db.session(), record)
    assert found is not None
    return str(found.data["number"])


def test_x1_of_two_cases_with_one_number_the_second_gets_its_next_and_keeps_it(
    phones: tuple[Phone, Phone], found: dict[str, Any]
) -> None:
    assert say_number(TWINS[0]) == say_number(TWINS[1])
    first, second = (
        seal(phone, record, found) for phone, record in zip(phones, TWINS, strict=True)
    )
    phones[0].push(first)
    [told] = phones[1].push(second)
    assert told["data"]["number"] == say_number(TWINS[1], 1) != say_number(TWINS[0])
    again = phones[1].push(second)
    phones[1].push(phones[1].patch(second, 1, {"place": "仓库"}))
    assert again[0]["ack"] == told["ack"]
    assert [number_of(record) for record in TWINS] == [
        say_number(TWINS[0]),
        say_number(TWINS[1], 1),
    ]


def test_x1_x10_a_number_is_one_records_among_all_kinds_and_in_one_batch(
    phones: tuple[Phone, Phone], found: dict[str, Any]
) -> None:
    phone = phones[0]
    fake = {**found, "lines": [{"product": "Tea", "quantity": 3, "unit": "piece"}]}
    told = phone.push(
        seal(phone, TWINS[1], fake, kind="counterfeit_report"), seal(phone, TWINS[0], found)
    )
    assert [one["outcome"] for one in told] == ["applied", "applied"], told
    assert number_of(TWINS[0]) == say_number(TWINS[0], 1) != number_of(TWINS[1])


def test_x1_of_two_cases_sent_at_once_each_has_a_number_of_its_own(
    app: Flask, phones: tuple[Phone, Phone], found: dict[str, Any]
) -> None:
    made = [
        (Phone(app.test_client(), phone.device), seal(phone, record, found))
        for phone, record in zip(phones, TWINS, strict=True)
    ]
    with ThreadPoolExecutor(len(made)) as crew:
        told = list(crew.map(lambda one: one[0].push(one[1])[0], made))
    assert [one["outcome"] for one in told] == ["applied", "applied"], told
    numbers = {number_of(record) for record in TWINS}
    assert len(numbers) == 2
    assert say_number(TWINS[0]) in numbers


def test_x1_a_case_that_is_refused_takes_no_number(
    phones: tuple[Phone, Phone], found: dict[str, Any]
) -> None:
    [told] = phones[0].push(seal(phones[0], TWINS[0], {**found, "found_at": "soon"}))
    assert told["outcome"] == "rejected"
    [told] = phones[1].push(seal(phones[1], TWINS[1], found))
    assert told["data"]["number"] == say_number(TWINS[1])


def test_x1_numbers_cost_a_push_no_statement_per_case(
    phones: tuple[Phone, Phone], found: dict[str, Any]
) -> None:
    phone = phones[0]
    made = [phone.create("cross_region_case", found) for _ in range(100)]
    phone.push(phone.create("cross_region_case", found))
    with counting(db.engine) as count:
        told = phone.push(*made)
    assert {one["outcome"] for one in told} == {"applied"}
    assert 5 < len(count.statements) <= 20, "\n".join(count.statements)
