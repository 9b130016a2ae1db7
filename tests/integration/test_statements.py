"""How many statements a request costs, whatever its size. Both databases."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from server.extensions import db
from server.people import rights
from server.sync.pull import pull
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


def whole_reads(statements: list[str]) -> list[str]:
    """Steps of SQLite's plans that go through all of a table that grows with the work."""
    steps: list[str] = []
    for statement in statements:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            given = (None,) * statement.count("?")
            plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            steps += [row[3] for row in plan]
    growing = ("feed ", "record", "mutation", "record_version", "item", "audit_entry")
    return [step for step in steps if step.startswith(tuple(f"SCAN {name}" for name in growing))]


def test_pushes_and_pulls_read_no_growing_table_as_a_whole(phone: Phone) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by the size that it finds")
    made = phone.create("customer", customer())
    with counting(db.engine) as count:
        phone.push(made)
        phone.push(phone.create("visit", {"customer": made["record"], "purpose": "routine"}))
        phone.push(phone.patch(made, 1, {"phone": "5"}))
        cursor = phone.pull()["cursor"]
        phone.pull(cursor)
    assert len(count.statements) > 20
    assert whole_reads(count.statements) == []


def test_a_page_with_parents_finds_them_by_record_and_not_by_scope(phone: Phone) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by the size that it finds")
    parent = phone.create("customer", customer())
    phone.push(parent)
    cursor = phone.pull()["cursor"]
    phone.push(phone.create("visit", {"customer": parent["record"], "purpose": "routine"}))
    with counting(db.engine) as count:
        phone.pull(cursor)
    [asked] = [one for one in count.statements if one.startswith("SELECT record FROM feed")]
    plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", (None,) * 3)
    assert any("ix_feed_record_scope" in row[3] for row in plan)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_p4_a_page_reads_its_own_records_though_postgresql_knows_nothing_of_the_feed_yet(
    company: Company, phone: Phone
) -> None:
    for _ in range(2):
        phone.push(*(phone.create("customer", customer(name=str(n))) for n in range(500)))
    db.session.remove()
    db.engine.dispose()  # a new connection has read nothing yet
    session, user = db.session(), phone.device.user
    reader = rights.load_principal(session, user, device=None)
    session.rollback()
    pull(company.services.sync, session, reader, cursor=None, limit=10)
    read = session.scalars(
        text(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
            " FROM pg_stat_xact_user_tables WHERE relname = 'record'"
        )
    ).one()
    assert 10 < read <= 50
