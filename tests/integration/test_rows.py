"""What is written for many rows at once, without waiting for each answer. Both databases."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session as Store

from server.db import Fault, told_faults, transaction
from server.rows import Rows, as_table
from server.sync.tables import Scope

SCOPE = as_table(Scope)
COLUMNS = ("name", "last_seq", "records", "digest")


def insert_each(store: Store, *names: str) -> None:
    """A transaction with a statement for each scope."""
    with told_faults(), transaction(store):
        rows = Rows(store)
        with rows.without_waiting():
            for name in names:
                rows.insert(SCOPE, COLUMNS, [(name, 0, 0, 0)])


def test_p3_what_the_database_refuses_unwaited_for_is_told_before_the_commit(store: Store) -> None:
    with pytest.raises(Fault) as refused:
        insert_each(store, "company", "company", "user:a")
    assert refused.value.sort == "race"
    assert store.scalar(select(func.count()).select_from(Scope)) == 0


def test_what_is_asked_among_unwaited_statements_sees_what_was_written(store: Store) -> None:
    with transaction(store):
        rows = Rows(store)
        with rows.without_waiting():
            rows.insert(SCOPE, COLUMNS, [("company", 0, 0, 0)])
            assert rows.select("SELECT name FROM scope") == [("company",)]
