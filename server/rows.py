"""Set-wise reads and writes on the driver's cursor: one statement for any number of rows.

SQLite takes lists through ``json_each`` and writes with ``executemany``; PostgreSQL takes arrays
and writes with ``insert … select from json_to_recordset`` (one generic ``execute`` per table
was measured at half the rate). Statements are written with ``?``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import CompoundSelect, Select, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session

from server.db import Glance

Row = tuple[Any, ...]


class Rows:
    """The driver's cursor of the transaction that a session is in, or of a glance beside one."""

    def __init__(self, source: Session | Glance) -> None:
        if isinstance(source, Session):
            connection = source.connection()
            sqlite = connection.dialect.name == "sqlite"
            source = Glance(connection.connection.cursor(), sqlite=sqlite)
        self.sqlite = source.sqlite
        self._cursor = source.cursor

    def among(self, column: str) -> str:
        """SQL for "``column`` is one of the list given as a parameter" (see :meth:`listed`)."""
        return (
            f"{column} IN (SELECT value FROM json_each(?))" if self.sqlite else f"{column} = ANY(?)"
        )

    def listed(self, values: Iterable[Any]) -> Any:
        """The parameter for :meth:`among`."""
        return orjson.dumps(list(values)).decode() if self.sqlite else list(values)

    @contextmanager
    def without_waiting(self) -> Iterator[None]:
        """Has PostgreSQL work on what is written within, while the next is made ready here.

        A query within waits for its answer. What the database refuses is raised at the end at
        the latest; P3: so that no commit follows. SQLite works in this process, and as it is told.
        """
        if self.sqlite:
            yield
            return
        with self._cursor.connection.pipeline():
            yield

    def select(self, statement: str, *parameters: Any) -> list[Row]:
        """All rows of a query."""
        self._execute(statement, parameters)
        found: list[Row] = self._cursor.fetchall()
        return found

    def execute(self, statement: str, *parameters: Any) -> int:
        """Runs one statement; the number of rows that it touched."""
        self._execute(statement, parameters)
        return int(self._cursor.rowcount)

    def _execute(self, statement: str, parameters: Sequence[Any]) -> None:
        text = statement if self.sqlite else _in_psycopg_style(statement)
        self._cursor.execute(text, parameters)

    def insert(
        self,
        table: Table,
        columns: Sequence[str],
        rows: Sequence[Row],
        *,
        skip_known: bool = False,
    ) -> None:
        """Inserts rows given in the order of ``columns``; may skip those that are there."""
        if not rows:
            return
        ending = " ON CONFLICT DO NOTHING" if skip_known else ""
        if self.sqlite:
            self._cursor.executemany(_sqlite_insert(table.name, tuple(columns)) + ending, rows)
            return
        statement = _postgres_insert(table, tuple(columns)) + ending
        self._cursor.execute(statement, [_recordset(columns, rows)])

    def update(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Updates rows by their first column; the others are set."""
        if not rows:
            return
        if self.sqlite:
            moved = [(*row[1:], row[0]) for row in rows]
            self._cursor.executemany(_sqlite_update(table.name, tuple(columns)), moved)
        else:
            self._cursor.execute(
                _postgres_update(table, tuple(columns)), [_recordset(columns, rows)]
            )

    def delete(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Deletes the rows whose ``columns`` have one of the given values."""
        if not rows:
            return
        if self.sqlite:
            self._cursor.executemany(_sqlite_delete(table.name, tuple(columns)), rows)
        else:
            self._cursor.execute(
                _postgres_delete(table, tuple(columns)), [_recordset(columns, rows)]
            )

    def next_keys(self, wanted: Mapping[Table, int]) -> list[list[int]]:
        """Fresh integer keys for so many rows of each table, in rising order.

        On SQLite the writer's lock is held.
        """
        if self.sqlite:
            asked = [f"(SELECT coalesce(max(key), 0) FROM {table.name})" for table in wanted]
            [lasts] = self.select(f"SELECT {', '.join(asked)}")
            ranges = zip(lasts, wanted.values(), strict=True)
            return [list(range(last + 1, last + 1 + count)) for last, count in ranges]
        one = "(SELECT array_agg(nextval(?::regclass)) FROM generate_series(1, ?))"
        given = [(f"{table.name}_key_seq", count) for table, count in wanted.items()]
        [found] = self.select(f"SELECT {', '.join([one] * len(given))}", *chain(*given))
        return [sorted(keys or ()) for keys in found]


def as_text(query: Select[Any] | CompoundSelect[Any]) -> str:
    """``query`` in the words that both databases know, with ``?`` in the order of its values."""
    return str(query.compile(dialect=DefaultDialect(paramstyle="qmark")))


@cache
def _in_psycopg_style(statement: str) -> str:
    return statement.replace("?", "%s")


def _recordset(columns: Sequence[str], rows: Sequence[Row]) -> str:
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode()


@cache
def _sqlite_insert(table: str, columns: tuple[str, ...]) -> str:
    names, marks = ", ".join(map(_quoted, columns)), ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"


@cache
def _sqlite_update(table: str, columns: tuple[str, ...]) -> str:
    assigned = ", ".join(f"{_quoted(name)} = ?" for name in columns[1:])
    return f"UPDATE {table} SET {assigned} WHERE {_quoted(columns[0])} = ?"


@cache
def _sqlite_delete(table: str, columns: tuple[str, ...]) -> str:
    matched = " AND ".join(f"{_quoted(name)} = ?" for name in columns)
    return f"DELETE FROM {table} WHERE {matched}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _typed(table: Table, columns: tuple[str, ...]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return ", ".join(
        f"{_quoted(name)} {table.c[name].type.compile(dialect=dialect)}" for name in columns
    )


@cache
def _postgres_insert(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(map(_quoted, columns))
    source = f"json_to_recordset(%s::json) AS given({_typed(table, columns)})"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {source}"


@cache
def _postgres_update(table: Table, columns: tuple[str, ...]) -> str:
    assigned = ", ".join(f"{_quoted(name)} = given.{_quoted(name)}" for name in columns[1:])
    source = f"json_to_recordset(%s::json) AS given({_typed(table, columns)})"
    key = _quoted(columns[0])
    matched = f"{table.name}.{key} = given.{key}"
    return f"UPDATE {table.name} SET {assigned} FROM {source} WHERE {matched}"


@cache
def _postgres_delete(table: Table, columns: tuple[str, ...]) -> str:
    matched = " AND ".join(f"{table.name}.{_quoted(n)} = given.{_quoted(n)}" for n in columns)
    source = f"json_to_recordset(%s::json) AS given({_typed(table, columns)})"
    return f"DELETE FROM {table.name} USING {source} WHERE {matched}"


def as_table(model: type[Any]) -> Table:
    """The table of a declarative model."""
    table: Table = model.__table__
    return table
