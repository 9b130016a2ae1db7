"""P1, P2: what was decided before the writer's lock holds only if nothing has changed since.

SQLite; on PostgreSQL a batch is looked at once, under its locks.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, event

from server.extensions import db
from tests.company import Company
from tests.phone import Phone, customer

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@contextmanager
def before_the_lock(act: Callable[[], object]) -> Iterator[list[Any]]:
    """Has ``act`` happen once, when the next writer has looked and is about to take the lock."""
    done: list[Any] = []

    def meanwhile(_connection: Connection, options: dict[str, Any]) -> None:
        if options.get("write") and not done:
            done.append("begun")
            with ThreadPoolExecutor(1) as elsewhere:  # a thread has a session of its own
                done.append(elsewhere.submit(act).result())

    event.listen(db.engine, "set_connection_execution_options", meanwhile)
    try:
        yield done
    finally:
        event.remove(db.engine, "set_connection_execution_options", meanwhile)


@pytest.fixture
def phones(client: FlaskClient, company: Company) -> tuple[Phone, Phone]:
    """Two phones of one rep."""
    user = company.user()
    return Phone(client, company.device(user)), Phone(client, company.device(user))


def test_p1_a_visit_decided_before_its_customer_was_withdrawn_is_decided_anew(
    phones: tuple[Phone, Phone],
) -> None:
    mine, other = phones
    parent = mine.create("customer", customer())
    mine.push(parent)
    visit = mine.create("visit", {"customer": parent["record"], "purpose": "routine"})
    withdrawal = other.withdraw(parent, 1)
    with before_the_lock(lambda: other.push(withdrawal)) as done:
        [result] = mine.push(visit)
    assert done[1][0]["outcome"] == "applied"
    assert (result["outcome"], result["flags"]) == ("applied", ["parent_withdrawn"])


def test_p2_a_batch_that_arrives_again_while_it_is_decided_has_one_effect(
    phones: tuple[Phone, Phone],
) -> None:
    mine, _other = phones
    parent = mine.create("customer", customer())
    mine.push(parent)
    visit = mine.create("visit", {"customer": parent["record"], "purpose": "routine"})
    with before_the_lock(lambda: mine.push(visit)) as done:
        [second] = mine.push(visit)
    [first] = done[1]
    assert second.pop("replay")
    assert second == {name: first[name] for name in second}
    held = [item for item in mine.pull()["items"] if item["record"] == visit["record"]]
    assert [item["version"] for item in held] == [1]


def test_p1_what_was_foreseen_stands_where_nothing_has_changed(
    phones: tuple[Phone, Phone],
) -> None:
    mine, _other = phones
    parent = mine.create("customer", customer())
    mine.push(parent)
    visit = mine.create("visit", {"customer": parent["record"], "purpose": "routine"})
    with before_the_lock(lambda: None) as done:
        [result] = mine.push(visit)
    assert done
    assert (result["outcome"], result["version"], result["flags"]) == ("applied", 1, [])


def test_p1_an_edit_decided_before_its_customer_was_withdrawn_is_decided_anew(
    phones: tuple[Phone, Phone],
) -> None:
    mine, other = phones
    parent = mine.create("customer", customer())
    visit = mine.create("visit", {"customer": parent["record"], "purpose": "routine"})
    mine.push(parent, visit)
    edit, withdrawal = mine.patch(visit, 1, {"topics": "prices"}), other.withdraw(parent, 1)
    with before_the_lock(lambda: other.push(withdrawal)) as done:
        [result] = mine.push(edit)
    assert done[1][0]["outcome"] == "applied"
    assert (result["outcome"], result["flags"]) == ("applied", ["parent_withdrawn"])


def test_p6_an_edit_decided_before_another_one_came_loses_and_is_kept(
    phones: tuple[Phone, Phone],
) -> None:
    mine, other = phones
    parent = mine.create("customer", customer())
    visit = mine.create("visit", {"customer": parent["record"], "purpose": "routine"})
    mine.push(parent, visit)
    edit = mine.patch(visit, 1, {"topics": "prices"})
    faster = other.patch(visit, 1, {"topics": "stock"})
    with before_the_lock(lambda: other.push(faster)) as done:
        [result] = mine.push(edit)
    assert (done[1][0]["outcome"], done[1][0]["version"]) == ("applied", 2)
    assert (result["outcome"], result["data"]["topics"]) == ("conflict", "stock")
    kept = [item["data"] for item in mine.pull()["items"] if item["kind"] == "conflict"]
    assert len(kept) == len(result["conflicts"]) == 1
