"""Triggers that note, in the transaction itself, every change of what no device holds.

They stand in the database, so that no statement, whoever writes it, can pass them by.
"""

from collections.abc import Iterator

from sqlalchemy import Column, Connection, LargeBinary, Table, text

from server.db import Base

PEOPLE = (
    "region",
    "app_user",
    "role_grant",
    "device",
    "audit_entry",
    "policy_version",
    "absence",
    "case_link",
    "link_opening",
    "hook",
)
"""Tables of which every row is kept."""
DECISIONS = "mutation"
"""Of these, what the back office and guests made; all else comes again from the devices."""


def install(connection: Connection) -> None:
    """Makes the triggers as the tables are today, where they are not so already."""
    query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    standing = {row.name: row.sql for row in connection.execute(query)}
    for name, statement in _triggers():
        if standing.get(name) != statement:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
            connection.exec_driver_sql(statement)


def _triggers() -> Iterator[tuple[str, str]]:
    for name in PEOPLE:
        table = Base.metadata.tables[name]
        yield _trigger(table, "INSERT")
        yield _trigger(table, "UPDATE")
        yield _trigger(table, "DELETE")
    made_here = "WHEN NEW.writer IN ('office', 'guest')"
    yield _trigger(Base.metadata.tables[DECISIONS], "INSERT", made_here)


def _trigger(table: Table, event: str, condition: str = "") -> tuple[str, str]:
    gone = event == "DELETE"
    told = ", ".join(_told(column, "OLD" if gone else "NEW") for column in table.columns)
    name = f"journal_{table.name}_{event.lower()}"
    statement = (
        f"CREATE TRIGGER {name} AFTER {event} ON {table.name} {condition} BEGIN"
        f" INSERT INTO journal_entry (name, gone, row)"
        f" VALUES ('{table.name}', {int(gone)}, json_object({told})); END"
    )
    return name, statement


def _told(column: Column[object], side: str) -> str:
    value = f'{side}."{column.name}"'
    return f"'{column.name}', {f'hex({value})' if isinstance(column.type, LargeBinary) else value}"
