"""Brings a store to the newest schema, and tells whether it is there. Rules of SQLite included."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

PACKAGED = Path(__file__).with_name("_migrations")
IN_REPOSITORY = Path(__file__).resolve().parent.parent / "migrations"
LOCK = 0x46535450
"""Number of the advisory lock that lets one process at a time migrate PostgreSQL."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration; ``connection`` is the one to migrate."""
    config = Config()
    folder = PACKAGED if PACKAGED.exists() else IN_REPOSITORY
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest() -> str | None:
    """The newest revision that this program knows."""
    return _head(str(configuration().get_main_option("script_location")))


@cache
def _head(folder: str) -> str | None:
    return ScriptDirectory(folder).get_current_head()


def revision_of(engine: Engine) -> str | None:
    """The revision of the store behind ``engine``; None for a database that holds no store."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(engine: Engine) -> bool:
    """Whether the store behind ``engine`` is at the newest revision."""
    return revision_of(engine) == newest()


def knows(revision: str) -> bool:
    """Whether this program can bring a store from ``revision`` to the newest schema."""
    return revision in _revisions(str(configuration().get_main_option("script_location")))


@cache
def _revisions(folder: str) -> frozenset[str]:
    return frozenset(known.revision for known in ScriptDirectory(folder).walk_revisions())


def upgrade_within(connection: Connection, revision: str = "head") -> None:
    """Brings the tables to ``revision`` in the caller's transaction; not for SQLite."""
    command.upgrade(configuration(connection), revision)


def upgrade(engine: Engine) -> None:
    """Runs what is missing, in one transaction; several processes may call it at once.

    Raises ``RuntimeError`` where SQLite finds a child without its parent afterwards.
    """
    if is_current(engine):
        return
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            _upgrade_sqlite(connection)
        else:
            _upgrade_postgresql(connection)


def _upgrade_postgresql(connection: Connection) -> None:
    with connection.begin():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        command.upgrade(configuration(connection), "head")


def _upgrade_sqlite(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    # Batch mode drops and rebuilds a table: with foreign keys on, that deletes its children. The
    # pragma does nothing inside a transaction, so it goes to the driver before BEGIN.
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.execution_options(write=True).begin():
            command.upgrade(configuration(connection), "head")
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if orphans:
                raise RuntimeError(f"{len(orphans)} rows lost their parent; nothing was changed")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")
