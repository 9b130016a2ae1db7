"""Base, the one commit, and what each dialect needs. The only door to a SQLite library.

Two copies of SQLite in one process cancel each other's file locks, so nothing else may import
one, tests and backups included. Knows no Flask.
"""

import select
import sqlite3 as stock_sqlite
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import psycopg
from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from server.durable import sync_path
from server.wal import cut_off_failed

try:
    sqlite: ModuleType = import_module("pysqlite3.dbapi2")
except ImportError:  # no wheel for this machine
    sqlite = stock_sqlite

BUSY_SECONDS = 30
NAME = "fieldstamp"
"""How the connections of a server call themselves on PostgreSQL."""
COMMON = {"pool_size": 20, "max_overflow": 20, "hide_parameters": True}
"""Of every engine; values of statements are tokens and customers, which no log may hold."""
LAST_SAFE_BEFORE_RACE = (3, 7, 0)
FIRST_SAFE = (3, 51, 3)
BACKPORTED = ((3, 44, 6), (3, 50, 7))

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table hangs here, so that migrations see all of them."""

    metadata = MetaData(naming_convention=NAMING)


class Moment(TypeDecorator[datetime]):
    """An aware moment; SQLite stores it as naive UTC, and it comes back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a naive time: ``ValueError``."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time reached the store")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Gives the moment back aware."""
        return None if value is None else as_moment(value)


def as_moment(value: datetime | str) -> datetime:
    """A moment as a driver gives it: SQLite's is text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def has_wal_race(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite can corrupt a WAL file (sqlite.org/wal.html, the WAL-reset bug)."""
    if version < LAST_SAFE_BEFORE_RACE or version >= FIRST_SAFE:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in BACKPORTED)


def database_url(text: str) -> str:
    """``text`` with the driver that is installed: psycopg 3 for PostgreSQL."""
    url = make_url(text)
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)


def engine_options(url: str) -> dict[str, Any]:
    """Options for ``create_engine``; SQLite gets the library that has no WAL race."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"module": sqlite, "connect_args": {"timeout": BUSY_SECONDS}, **COMMON}
    # A plan that was made on the empty table would be kept: measured, it halves the rate.
    connect = {"options": "-c plan_cache_mode=force_custom_plan", "application_name": NAME}
    return {"connect_args": connect, **COMMON}


def prepare(engine: Engine) -> None:
    """Hooks ``engine`` up: pragmas, and a BEGIN of our own on SQLite.

    The driver's own transaction mode loses updates silently; a plain BEGIN for writers fails with
    "database is locked" at once. So reads begin deferred and writers begin immediate.
    """
    if engine.dialect.name != "sqlite":
        event.listen(engine, "checkout", _look_alive)
        return
    # P3: a journal that is removed may come back after a power cut and undo the last commit, since
    # its folder is not synced; one that is emptied is.
    journal = "TRUNCATE" if has_wal_race(sqlite.sqlite_version_info) else "WAL"

    @event.listens_for(engine, "first_connect")
    def settle(_connection: object, _record: object) -> None:
        settle_leftovers(engine.url.database)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (f"journal_mode={journal}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        wants_write = connection.get_execution_options().get("write", False)
        _say(connection, "BEGIN IMMEDIATE" if wants_write else "BEGIN")


def _look_alive(connection: Any, _record: object, _pooled: object) -> None:
    """Has the pool make a new connection where the database has hung up on this one.

    Its last words lie unread in our kernel, as on an idle connection only they do; to ask whether
    it is there would be one more way there and back each time.
    """
    unread = select.poll()
    unread.register(connection.fileno(), select.POLLIN)
    if unread.poll(0):
        raise DisconnectionError


def settle_leftovers(database: str | None) -> None:
    """P3: brings to the disk what a process wrote last that was killed before it could.

    The next one reads it as committed, and answers by it.
    """
    left = [Path(f"{database}{ending}") for ending in ("-wal", "-journal")]
    for path in left:
        if path.exists():
            sync_path(path)
            sync_path(path.parent)


class Fault(Exception):
    """The database refused: ``race`` (try the transaction again), ``busy`` (come later) or
    ``data`` (something in what was sent cannot be stored)."""

    def __init__(self, sort: Literal["race", "busy", "data"]) -> None:
        super().__init__(sort)
        self.sort = sort


RACES = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
DATA_FAULTS = (
    psycopg.DataError,
    psycopg.ProgrammingError,
    sqlite.DataError,
    sqlite.InterfaceError,
    OverflowError,
)


@contextmanager
def told_faults() -> Iterator[None]:
    """Turns errors of either driver, wrapped by SQLAlchemy or not, into :class:`Fault`."""
    try:
        yield
    except (DBAPIError, psycopg.Error, sqlite.Error, OverflowError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, (*RACES, psycopg.IntegrityError, sqlite.IntegrityError)):
            raise Fault("race") from error
        raise Fault("data" if isinstance(cause, DATA_FAULTS) else "busy") from error


class AfterCommit:
    """What the outside hears once the commit has reached the disk (P3), and never before."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []

    def add(self, call: Callable[[], object]) -> None:
        """Remembers ``call``; calls run in the order in which they were added."""
        self._calls.append(call)

    def run(self) -> None:
        """Makes every call."""
        for call in self._calls:
            call()


class Journal(Protocol):
    """Keeps outside the database what no device holds."""

    def write(self, session: Session) -> None:
        """Puts on the disk what the open transaction changed; the commit follows at once."""


def keep_journal(engine: Engine, journal: Journal) -> None:
    """Every write transaction on ``engine`` is told to ``journal`` before it commits."""
    engine.update_execution_options(journal=journal)


def journal_of(engine: Engine) -> Journal | None:
    """The journal of the transactions on ``engine``."""
    journal: Journal | None = engine.get_execution_options().get("journal")
    return journal


@contextmanager
def transaction(session: Session) -> Iterator[AfterCommit]:
    """The only place that commits. Ends a read transaction that may be open on ``session``.

    A write transaction holds SQLite's writer lock from its first moment. An exception rolls back.
    """
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("changes made outside a transaction")
    let_go(session)
    effects = AfterCommit()
    try:
        session.connection(execution_options={"write": True})
        yield effects
        _write_journal(session)
        _commit(session)
    except BaseException:
        session.rollback()
        raise
    effects.run()


def _commit(session: Session) -> None:
    try:
        session.commit()
    except DBAPIError:
        session.rollback()
        _cut_off_failed(session.get_bind().engine)
        raise


def _cut_off_failed(engine: Engine) -> None:
    """P3: nobody shall take for committed what failed; whoever writes by now does so over it."""
    if engine.dialect.name != "sqlite":
        return
    with suppress(sqlite.Error, DBAPIError, OSError), closing(engine.raw_connection()) as pooled:
        driver: Any = pooled.driver_connection
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            driver.execute("BEGIN IMMEDIATE")
            cut_off_failed(Path(str(engine.url.database)))
        finally:
            driver.rollback()
            driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def let_go(session: Session) -> None:
    """Ends a read transaction that may be open on ``session``, and gives its connection back."""
    if session.in_transaction():
        session.rollback()


def _write_journal(session: Session) -> None:
    """P3: before the commit, so that what is answered is on the disk twice."""
    journal = journal_of(session.get_bind().engine)
    if journal is not None:
        session.flush()
        journal.write(session)


def begin_snapshot(session: Session) -> None:
    """Begins a read transaction in which every statement sees the same moment.

    One that is open is ended on its own connection: to give that back to the pool and take it
    out again costs more than the few reads that a poll makes.
    """
    session.expire_all()
    connection = session.connection()
    if is_sqlite(session):
        _say(connection, "ROLLBACK")
        _say(connection, "BEGIN")
    else:
        connection.exec_driver_sql(
            "ROLLBACK AND CHAIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
        )


@dataclass(frozen=True, slots=True)
class Glance:
    """A driver's cursor on which each statement is a transaction of its own."""

    cursor: Any
    sqlite: bool


@contextmanager
def glancing(engine: Engine) -> Iterator[Glance]:
    """For what every poll reads, where a session and its transaction cost more than to ask.

    On PostgreSQL they are three more ways there and back. Nothing is written through it. Raises
    :class:`Fault`.
    """
    sqlite_given = engine.dialect.name == "sqlite"
    with told_faults():
        pooled = engine.raw_connection()
        driver: Any = pooled.driver_connection
        try:
            if not sqlite_given:
                driver.autocommit = True
            yield Glance(pooled.cursor(), sqlite=sqlite_given)
            if not sqlite_given:
                driver.autocommit = False
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()


@contextmanager
def looking(session: Session) -> Iterator[Session | Glance]:
    """For a single read: within the transaction that ``session`` is in, beside it where there is
    none."""
    if session.in_transaction():
        yield session
        return
    with glancing(session.get_bind().engine) as glance:
        yield glance


def _say(connection: Connection, word: str) -> None:
    """A word about transactions, straight to SQLite: half a request's statements are such words."""
    try:
        connection.connection.cursor().execute(word)
    except sqlite.Error as error:
        raise DBAPIError.instance(word, None, error, sqlite.Error) from error


def is_sqlite(session: Session) -> bool:
    """Whether ``session`` speaks to SQLite."""
    return session.get_bind().dialect.name == "sqlite"


def copy_sqlite(source: Path, target: Path) -> None:
    """A whole copy of ``source`` as of one moment, while others may go on writing.

    Raises :class:`Fault` where either file cannot be read or written, or the copy is not sound.
    """
    with told_faults(), _opened(source) as old, _opened(target) as fresh:
        old.backup(fresh)
        fresh.execute("PRAGMA journal_mode=DELETE")  # a copy is one file, without a WAL beside it
        if fresh.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise Fault("data")


def settle_sqlite(path: Path) -> None:
    """Brings all of a store into its one file, where it can be read at all.

    Raises :class:`Fault` ``busy`` while anybody has it open.
    """
    try:
        with _opened(path) as alone:
            alone.execute("PRAGMA journal_mode=DELETE")
            alone.execute("BEGIN EXCLUSIVE")
    except sqlite.OperationalError as error:
        raise Fault("busy") from error
    except sqlite.DatabaseError:  # a damaged file, which is why somebody restores
        return


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    connection = sqlite.connect(path, timeout=1, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
