"""What every request asks of the store, beside its transactions. Both databases."""

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from server.db import Fault
from server.extensions import db
from server.failures import to_problem
from tests.company import Company
from tests.phone import Phone, customer
from tests.statements import counting


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone that has pushed before."""
    phone = Phone(client, company.rep())
    phone.push(phone.create("customer", customer()))
    return phone


def test_a_poll_without_news_is_two_statements_and_no_transaction(phone: Phone) -> None:
    cursor = phone.pull()["cursor"]
    with counting(db.engine) as count:
        page = phone.pull(cursor)
    assert (page["items"], page["more"], len(page["digest"])) == ([], False, 2)
    assert len(count.statements) == 2, "\n".join(count.statements)


def test_p4_news_of_another_scope_move_the_cursor_of_an_idle_device_and_hide_nothing(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    stranger = Phone(client, company.rep("guangzhou"))
    cursor = phone.pull()["cursor"]
    stranger.push(stranger.create("customer", customer(name="Elsewhere")))
    further = phone.pull(cursor)["cursor"]
    assert further != cursor
    made = phone.create("customer", customer(name="Here"))
    phone.push(made)
    items = phone.pull(further)["items"]
    assert [item["record"] for item in items] == [made["record"]]


def test_a_connection_on_which_the_database_has_hung_up_is_not_used(
    phone: Phone, company: Company, postgres_url: str
) -> None:
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite hangs up on nobody")
    cursor = phone.pull()["cursor"]
    company.store.rollback()
    with psycopg.connect(postgres_url, autocommit=True) as other:
        hung_up = other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [db.engine.url.database],
        ).fetchall()
    assert hung_up
    company.store.invalidate()
    assert phone.pull(cursor)["items"] == []
    assert db.session.execute(text("SELECT 1")).scalar() == 1


def test_what_is_asked_of_a_store_that_refuses_may_be_asked_again() -> None:
    assert to_problem(Fault("busy")).code == "unavailable"
