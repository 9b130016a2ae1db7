"""Counts the statements that reach a driver: each execute and each executemany is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from server.db import sqlite
from server.extensions import db


class Count:
    """The statements seen so far."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def note(self, statement: Any) -> None:
        """Remembers one statement."""
        self.statements.append(str(statement))


@contextmanager
def counting(engine: Engine) -> Iterator[Count]:
    """Counts what ``engine``'s connections execute within the block."""
    count = Count()
    db.session.remove()  # a connection that is checked out would outlive the pool
    engine.dispose()
    option, factory = _factory(engine, count)

    def intercept(_dialect: Any, _record: Any, _given: Any, options: dict[str, Any]) -> None:
        options[option] = factory

    event.listen(engine, "do_connect", intercept)
    try:
        with engine.connect():  # the driver's own questions on a first connection
            count.statements.clear()
        yield count
    finally:
        db.session.remove()
        event.remove(engine, "do_connect", intercept)
        engine.dispose()


def _factory(engine: Engine, count: Count) -> tuple[str, type]:
    if engine.dialect.name == "sqlite":
        return "factory", _sqlite_connection(count)

    class CountingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            count.note(query)
            return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            count.note(query)
            return super().executemany(query, *args, **kwargs)

    return "cursor_factory", CountingCursor


def _sqlite_connection(count: Count) -> type:
    class CountingCursor(sqlite.Cursor):  # type: ignore[name-defined,misc]
        def execute(self, statement: str, *args: Any) -> Any:
            count.note(statement)
            return super().execute(statement, *args)

        def executemany(self, statement: str, *args: Any) -> Any:
            count.note(statement)
            return super().executemany(statement, *args)

    class CountingConnection(sqlite.Connection):  # type: ignore[name-defined,misc]
        def cursor(self, *_args: Any) -> Any:
            return super().cursor(CountingCursor)

    return CountingConnection
