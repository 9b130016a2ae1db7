"""Fresh stores: a folder for SQLite, a database of a PostgreSQL server that lives for the run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from tests.embedded import get_server

MAX_WAL = "4GB"
"""So that no checkpoint falls into one system's turn; fsync and synchronous_commit stay on."""


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A running server; ``url`` is that of its own database."""

    url: str
    pid: int

    def create_database(self) -> str:
        """The URL of a new database."""
        name = f"bench_{secrets.token_hex(4)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL server in ``folder``, durable as in production; removed afterwards."""
    server = get_server(folder / "postgresql")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET max_wal_size = '{MAX_WAL}'")
            connection.execute("SELECT pg_reload_conf()")
        yield PostgreSQL(url=server.get_uri(), pid=server.get_postmaster_info().pid)
    finally:
        server.cleanup()
