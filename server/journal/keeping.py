"""Writes the journal: called by the one commit, with the writer's lock held."""

from pathlib import Path

import orjson
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from server.clock import Clock, to_wire
from server.journal import capture, lines
from server.journal.lines import Change, Head, JournalFault, Line
from server.journal.tables import JournalHead

NAME = "journal.jsonl"
NOTED = "SELECT name, gone, row FROM journal_entry ORDER BY key"
TAKEN = "DELETE FROM journal_entry"
HEAD = "SELECT hash, place FROM journal_head"
MOVED = "UPDATE journal_head SET hash = ?, place = ?"


class StoreJournal:
    """The journal of a SQLite store: a file that is on the disk before the commit is."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.path = folder / NAME
        self._clock = clock

    def write(self, session: Session) -> None:
        """P3: puts on the disk what the open transaction changed and no device holds."""
        changes = take_changes(session)
        if not changes:
            return
        head = find_head(session)
        if head is None:
            raise JournalFault("The store has no journal yet. Run `fieldstamp-server db upgrade`.")
        line = Line(prev=head.hash, at=to_wire(self._clock.now()), changes=changes)
        move_head(session, lines.append(self.path, head, line))

    def open(self, session: Session, *, store: str) -> None:
        """Begins the file where there is none, and sees that nothing passes it by.

        Called within a write transaction. Raises :class:`JournalFault` where the file in the
        folder belongs to another store.
        """
        capture.install(session.connection())
        head = find_head(session)
        if head is None and not self._is_free(store):
            raise JournalFault(f"{NAME} in the data folder belongs to another store.")
        if head is None or not self.path.exists():
            self._begin(session, head, store)
        else:
            lines.settle(self.path, head)

    def _begin(self, session: Session, head: Head | None, store: str) -> None:
        prev = head.hash if head else lines.NONE
        line = Line(prev=prev, at=to_wire(self._clock.now()), store=store)
        session.execute(delete(JournalHead))
        begun = lines.begin(self.path, line)
        session.execute(insert(JournalHead).values(id=1, hash=begun.hash, place=begun.place))

    def _is_free(self, store: str) -> bool:
        """Whether there is no file, or one that a first start of ``store`` left when it was cut."""
        if not self.path.exists() or not self.path.stat().st_size:
            return True
        return lines.is_just_begun(self.path, store)


class Silence:
    """Stands in for the journal while it is replayed: what it says is not said again."""

    def write(self, session: Session) -> None:
        """Lets the changes of the transaction go."""
        take_changes(session)


def take_changes(session: Session) -> tuple[Change, ...]:
    """What the triggers noted in this transaction; afterwards nothing is noted."""
    # Asked by every write of the store, so by the shortest way.
    connection = session.connection()
    noted = connection.exec_driver_sql(NOTED).all()
    if noted:
        connection.exec_driver_sql(TAKEN)
    return tuple(Change(name=n, gone=bool(gone), row=orjson.loads(row)) for n, gone, row in noted)


def find_head(session: Session) -> Head | None:
    """The line that the store took part in last."""
    row = session.connection().exec_driver_sql(HEAD).one_or_none()
    return None if row is None else Head(hash=row.hash, place=row.place)


def move_head(session: Session, head: Head) -> None:
    """Notes in the same transaction that the store took part in ``head``."""
    session.connection().exec_driver_sql(MOVED, (head.hash, head.place))
