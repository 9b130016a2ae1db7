"""A database as files, and files as a database: one moment of it, all or nothing.

SQLite is copied by its own library. PostgreSQL is read by COPY in one snapshot and written by COPY
in one transaction, so that nothing but this program is needed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, select, text
from sqlalchemy.engine import make_url

from server.db import copy_sqlite, engine_options
from server.tables import metadata

SQLITE_FILE = "store.sqlite"
TABLES = "tables"
PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a dump holds."""

    schema: str
    store: str
    epoch: str
    counts: dict[str, int]
    originals: list[str]
    pictures: list[str]
    """SHA-256 of the blobs that it names."""


def open_copy(path: Path) -> Engine:
    """An engine on a SQLite file that is no running store."""
    url = f"sqlite:///{path}"
    return create_engine(url, **engine_options(url))


def sqlite_path(engine: Engine) -> Path:
    """The file behind a SQLite engine."""
    return Path(make_url(engine.url).database or "")


def write_dump(engine: Engine, folder: Path) -> Contents:
    """Writes the database behind ``engine`` into ``folder`` as it is at one moment."""
    if engine.dialect.name == "sqlite":
        return _copy_file(engine, folder / SQLITE_FILE)
    (folder / TABLES).mkdir()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for name in _names():
            _copy_out(connection, name, folder / TABLES / f"{name}.copy")
        return _contents(connection)


def _copy_file(engine: Engine, target: Path) -> Contents:
    copy_sqlite(sqlite_path(engine), target)
    copied = open_copy(target)
    try:
        with copied.connect() as connection:
            return _contents(connection)
    finally:
        copied.dispose()


def _names() -> list[str]:
    """The tables, each behind those that it refers to."""
    return [table.name for table in metadata.sorted_tables]


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _cursor(connection: Connection) -> Any:
    return connection.connection.cursor()


def _copy_out(connection: Connection, name: str, target: Path) -> None:
    columns = [column.name for column in metadata.tables[name].columns]
    statement = f"COPY {name} ({_quoted(columns)}) TO STDOUT"
    with target.open("wb") as file, _cursor(connection).copy(statement) as pieces:
        file.write(" ".join(columns).encode() + b"\n")
        for piece in pieces:
            file.write(piece)


def read_tables(connection: Connection, folder: Path) -> None:
    """Fills the empty tables of PostgreSQL in the transaction of ``connection``."""
    for name in _names():
        path = folder / TABLES / f"{name}.copy"
        if path.exists():
            _copy_in(connection, name, path)


def count_on(connection: Connection) -> None:
    """Lets PostgreSQL give keys behind the newest one of each table."""
    for name, key in _serials():
        newest = f"SELECT coalesce(max({key}), 0) + 1 FROM {name}"
        connection.execute(text(f"SELECT setval('{name}_{key}_seq', ({newest}), false)"))


def _copy_in(connection: Connection, name: str, path: Path) -> None:
    with path.open("rb") as file:
        columns = file.readline().decode().split()
        statement = f"COPY {name} ({_quoted(columns)}) FROM STDIN"
        with _cursor(connection).copy(statement) as pieces:
            while piece := file.read(PIECE):
                pieces.write(piece)


def _serials() -> Iterator[tuple[str, str]]:
    """(table, column) of every key that PostgreSQL counts."""
    for table in metadata.sorted_tables:
        counted = table.autoincrement_column
        if counted is not None:
            yield table.name, counted.name


def _contents(connection: Connection) -> Contents:
    epochs = connection.execute(text("SELECT name FROM epoch ORDER BY number")).scalars().all()
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    counts = {
        name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
        for name in _names()
    }
    named = {
        name: list(connection.execute(select(metadata.tables[name].c.sha256)).scalars())
        for name in ("blob", "picture")
    }
    return Contents(
        schema=revision,
        store=epochs[0],
        epoch=epochs[-1],
        counts=counts,
        originals=named["blob"],
        pictures=named["picture"],
    )
