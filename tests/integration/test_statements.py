"""How many statements a request costs, whatever its size. Both databases."""

import pytest
from flask.testing import FlaskClient

from server.extensions import db
from tests.company import Company
from tests.phone import Phone, customer
from tests.statements import counting


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone that has pushed before."""
    phone = Phone(client, company.rep())
    phone.push(phone.create("customer", customer()))
    return phone


def test_a_push_of_500_records_costs_at_most_20_statements(phone: Phone) -> None:
    parents = [phone.create("customer", customer(name=str(n))) for n in range(100)]
    visits = [
        phone.create("visit", {"customer": parents[n % 100]["record"], "purpose": "routine"})
        for n in range(400)
    ]
    with counting(db.engine) as count:
        results = phone.push(*parents, *visits)
    assert {result["outcome"] for result in results} == {"applied"}
    assert 5 < len(count.statements) <= 20, "\n".join(count.statements)


def test_a_push_of_500_patches_costs_at_most_20_statements(phone: Phone) -> None:
    made = [phone.create("customer", customer(name=str(n))) for n in range(500)]
    phone.push(*made)
    with counting(db.engine) as count:
        results = phone.push(*(phone.patch(one, 1, {"phone": "5"}) for one in made))
    assert {result["outcome"] for result in results} == {"applied"}
    assert 5 < len(count.statements) <= 20, "\n".join(count.statements)


def test_an_empty_pull_costs_at_most_three_queries_of_the_engine(phone: Phone) -> None:
    cursor = phone.pull()["cursor"]
    with counting(db.engine) as count:
        assert phone.pull(cursor)["items"] == []
    engine = [s for s in count.statements if " feed" in s or " scope" in s or " record" in s]
    assert 1 <= len(engine) <= 3, "\n".join(engine)
