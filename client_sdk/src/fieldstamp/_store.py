"""The one SQLite file of a device: opening it, transactions, small named values.

The only module that imports sqlite3. What the tables mean belongs to the modules that use them.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from fieldstamp._errors import (
    StorageFullError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreTooNewError,
    of_the_disk,
)
from fieldstamp._schema import STEPS
from fieldstamp._system import FileLock, flush_leftovers
from fieldstamp._wal import cut_off_failed, wal_of

Row = tuple[Any, ...]
Made = TypeVar("Made")

_BUSY_MS = 30_000


class Transaction:
    """One transaction; everything asked and written through it is one moment of the store."""

    def __init__(self, connection: sqlite3.Connection, known: dict[str, Any]) -> None:
        self._connection = connection
        self._known = known

    def rows(self, sql: str, *values: object) -> list[Row]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def run(self, sql: str, *values: object) -> int:
        """Executes a statement; returns how many rows it touched."""
        return self._connection.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[Row]) -> None:
        """Executes a statement once per row."""
        self._connection.executemany(sql, rows)

    def value(self, name: str) -> Any:
        """The JSON value kept under ``name``, or None."""
        text = self.text(name)
        return None if text is None else json.loads(text)

    def text(self, name: str) -> str | None:
        """What ``value`` would read, as JSON text."""
        row = self.one("SELECT value FROM meta WHERE name = ?", name)
        return None if row is None else str(row[0])

    def made_of(self, name: str, mark: str, make: Callable[[str | None], Made]) -> Made:
        """What ``make`` makes of the text under ``name``: once, until the one in ``mark`` changes.

        Both are kept in one transaction. Without a mark it is made each time.
        """
        stands = self.text(mark)
        if stands in {None, "null"}:
            return make(self.text(name))
        if name not in self._known or self._known[mark] != stands:
            self._known[name], self._known[mark] = make(self.text(name)), stands
        made: Made = self._known[name]
        return made

    def keep(self, name: str, value: object) -> None:
        """Keeps a JSON value under ``name``."""
        self._known.pop(name, None)
        self.run(
            "INSERT INTO meta (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            json.dumps(value, ensure_ascii=False),
        )


class Store:
    """An open store. It belongs to the thread that opened it; other threads open their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._known: dict[str, Any] = {}
        self._is_doubtful = False
        try:
            flush_leftovers(path)
        except OSError as error:
            raise of_the_disk(error) from error
        with _told_apart():
            self._connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Closes the file; nothing is pending, since every save was committed."""
        self._lock.free()
        self._connection.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits when the block ends and leaves no trace when it raises.

        What was saved before it is on the disk when it begins.
        """
        if self._is_doubtful:
            with _told_apart():
                self._settle()
        with self._transaction("BEGIN IMMEDIATE") as transaction:
            yield transaction

    @contextlib.contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one unchanging moment of the store.

        Within an open transaction it is a part of that one.
        """
        if self._connection.in_transaction:
            yield Transaction(self._connection, self._known)
            return
        with self._transaction("BEGIN") as transaction:
            yield transaction

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """Held by the one process that syncs this store. Raises StoreBusyError."""
        try:
            is_taken = self._lock.take()
        except OSError as error:
            raise of_the_disk(error) from error
        if not is_taken:
            raise StoreBusyError("another process is syncing this store")
        try:
            yield
        finally:
            self._lock.free()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        with _told_apart():
            try:
                self._connection.execute(begin)
                yield Transaction(self._connection, self._known)
                self._commit()
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError:
            if not self._connection.in_transaction:
                self._is_doubtful = True
                with contextlib.suppress(sqlite3.DatabaseError):
                    self._settle()
                if self._is_doubtful and wal_of(self.path).exists():
                    with contextlib.suppress(sqlite3.DatabaseError, OSError):
                        self._cut_off_failed()
            raise

    def _cut_off_failed(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            cut_off_failed(self.path)
        finally:
            self._connection.execute("ROLLBACK")

    def _settle(self) -> None:
        """P1: a commit of which only the last flush failed is there until the power goes. Another
        one behind it makes it last, now or before the next save."""
        self._connection.execute(f"PRAGMA user_version = {self._steps_done()}")
        self._is_doubtful = False

    def _prepare(self) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        self._connection.execute(f"PRAGMA journal_mode = {journal_mode(sqlite3.sqlite_version)}")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA fullfsync = ON")
        self._connection.execute("PRAGMA foreign_keys = ON")
        if self._steps_done() != len(STEPS):
            self._migrate()

    def _migrate(self) -> None:
        with self.write() as transaction:
            done = self._steps_done()
            if done > len(STEPS):
                raise StoreTooNewError(f"{self.path} was written by a newer version")
            for step in STEPS[done:]:
                for statement in step.split(";"):
                    transaction.run(statement)
            transaction.run(f"PRAGMA user_version = {len(STEPS)}")

    def _steps_done(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])


def journal_mode(version: str) -> str:
    """WAL where it is sound, else a rollback journal that is emptied and flushed at each commit.

    SQLite 3.7.0 to 3.51.2 can lose a write in WAL mode when a checkpoint meets a reset (fixed in
    3.51.3, 3.50.7 and 3.44.6). Removing the journal (``DELETE``) would leave its folder entry
    unflushed, so that a power cut could bring it back and undo the last commit.
    """
    number = tuple(int(part) for part in version.split("."))
    fixed = number >= (3, 51, 3) or any(
        branch <= number < (3, branch[1] + 1) for branch in ((3, 50, 7), (3, 44, 6))
    )
    return "WAL" if fixed else "TRUNCATE"


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """Turns what SQLite reports into errors that say what a person can do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _named(error) from error


def _named(error: sqlite3.DatabaseError) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return StorageFullError("there is no space left on this device")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError("another program is writing to this store")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreDamagedError(str(error))
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return StoreError(str(error), code="store_unusable")
    return error
