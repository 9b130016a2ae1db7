"""Small write transactions of many requests as one: they wait for the disk once, together.

Knows nothing of what is written. On SQLite, where one process at a time may write, processes wait
for each other here: its own way is to sleep and try again.
"""

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from server.db import RACES, AfterCommit, is_sqlite, let_go, transaction

T = TypeVar("T")
Work = Callable[[Connection, AfterCommit], T]


@dataclass(slots=True, eq=False)
class _Wish:
    """What one request wants written, and what became of it."""

    work: Work[Any]
    effects: AfterCommit = field(default_factory=AfterCommit)
    is_done: bool = False
    result: Any = None
    error: Exception | None = None

    def do(self, connection: Connection) -> None:
        """Within a transaction, which may be another's."""
        self.effects = AfterCommit()
        self.result = self.work(connection, self.effects)


class Turns:
    """The write transactions on uploads of one process, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._waiting: deque[_Wish] = deque()

    def run(self, session: Session, work: Work[T]) -> T:
        """What ``work`` returned, once its transaction has reached the disk (P3).

        ``work`` may be run again, and on another connection. Who waits holds none: else uploads
        would take every one there is, only to wait for each other.
        """
        let_go(session)
        wish = _Wish(work)
        self._waiting.append(wish)
        with self._turn:
            if not wish.is_done:
                self._do_all(session, wish)
        if wish.error is not None:
            raise wish.error
        wish.effects.run()
        return cast("T", wish.result)

    def _do_all(self, session: Session, own: _Wish) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if own not in batch:  # whoever took it along did not live to say what became of it
            batch.append(own)
        with self._in_line(session):
            try:
                _commit(session, batch)
            except Exception as error:
                if _is_out_of_order(error):
                    _refuse(batch, error)
                    return
                for wish in batch:  # P8: one that fails stands in nobody's way
                    _commit_alone(session, wish)

    @contextmanager
    def _in_line(self, session: Session) -> Iterator[None]:
        if not is_sqlite(session):
            yield
            return
        line = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(line, fcntl.LOCK_EX)
            yield
        finally:
            os.close(line)


def _is_out_of_order(error: Exception) -> bool:
    """Whether the store is, for every wish. Batches of two processes that write the same rows in
    another order are in each other's way only as batches."""
    return isinstance(error, OperationalError) and not isinstance(error.orig, RACES)


def _commit(session: Session, batch: list[_Wish]) -> None:
    with transaction(session):
        connection = session.connection()
        for wish in batch:
            wish.do(connection)
    for wish in batch:
        wish.is_done = True


def _commit_alone(session: Session, wish: _Wish) -> None:
    try:
        _commit(session, [wish])
    except Exception as error:
        _refuse([wish], error)


def _refuse(batch: list[_Wish], error: Exception) -> None:
    for wish in batch:
        wish.error, wish.is_done = error, True
