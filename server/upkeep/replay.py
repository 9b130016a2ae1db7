"""Brings a store that was restored up to the end of its journal, before it answers anybody."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from sqlalchemy import Engine, LargeBinary, Table
from sqlalchemy.orm import Session

from server.db import Base, journal_of, keep_journal, transaction
from server.journal import lines
from server.journal.capture import DECISIONS
from server.journal.keeping import Silence, StoreJournal, find_head, move_head
from server.journal.lines import Change, Head, Line
from server.people import rights
from server.rows import Rows
from server.sync import epochs
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a store took in: how many lines over which time, and what became of decisions."""

    lines: int = 0
    span: str = ""
    rows: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    """Outcome → how many."""


def open_journal(session: Session, sync: Sync) -> Replayed:
    """Begins the journal of a store, or takes in what it has and the store has not.

    A store that lacks more than the one transaction in which a process may have been killed was
    put back from a copy, so that a new epoch begins. Raises :class:`lines.JournalFault`.
    """
    journal = journal_of(session.get_bind().engine)
    if not isinstance(journal, StoreJournal):
        return Replayed()
    with transaction(session):
        journal.open(session, store=epochs.first_epoch(session))
        missing = _missing(session, journal)
    running = epochs.current_epoch(session)
    if len(missing) > 1 and running is not None:
        epochs.follow_epoch(session, sync.clock, ended=running, reason="restored")
    return replay(session, sync, missing)


def replay(session: Session, sync: Sync, missing: Sequence[tuple[Head, Line]]) -> Replayed:
    """Takes ``missing`` in, line by line; what is there already changes nothing."""
    rows, outcomes = 0, Counter[str]()
    with _silent(session.get_bind().engine):
        for head, line in missing:
            rows += _put_rows(session, line)
            outcomes.update(_decide(session, sync, line))
            with transaction(session):
                move_head(session, head)
    told = Replayed(
        lines=len(missing),
        span=lines.span([line for _head, line in missing]),
        rows=rows,
        decisions=outcomes,
    )
    if missing:
        log.warning("journal_replayed", lines=told.lines, span=told.span, **outcomes)
    return told


def _missing(session: Session, journal: StoreJournal) -> list[tuple[Head, Line]]:
    head = find_head(session)
    return lines.lines_behind(journal.path, head) if head else []


@contextmanager
def _silent(engine: Engine) -> Iterator[None]:
    journal = journal_of(engine)
    keep_journal(engine, Silence())
    try:
        yield
    finally:
        if journal is not None:
            keep_journal(engine, journal)


def _put_rows(session: Session, line: Line) -> int:
    changes = [change for change in line.changes if change.name != DECISIONS]
    if changes:
        with transaction(session):
            rows = Rows(session)
            for change in changes:
                statement, values = _statement(change)
                rows.execute(statement, *values)
    return len(changes)


def _statement(change: Change) -> tuple[str, list[Any]]:
    """Sets or deletes one row by its primary key; the values are those of the file."""
    table = Base.metadata.tables[change.name]
    keys = [column.name for column in table.primary_key]
    row = _read_row(table, change.row)
    if change.gone:
        matched = " AND ".join(f'"{name}" = ?' for name in keys)
        return f"DELETE FROM {table.name} WHERE {matched}", [row[name] for name in keys]
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    update = ", ".join(f'"{name}" = excluded."{name}"' for name in row if name not in keys)
    target = ", ".join(f'"{name}"' for name in keys)
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
    return f"{statement} ON CONFLICT ({target}) DO UPDATE SET {update}", list(row.values())


def _read_row(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The values as SQLite stores them; columns that are gone since are left out."""
    in_hex = {c.name for c in table.columns if isinstance(c.type, LargeBinary)}
    return {
        name: bytes.fromhex(value) if name in in_hex else value
        for name, value in row.items()
        if name in table.columns
    }


def _decide(session: Session, sync: Sync, line: Line) -> list[str]:
    """P2: what a line says was decided, or came by a link, goes through the one push; what is known
    changes nothing."""
    rows = [change.row for change in line.changes if change.name == DECISIONS]
    outcomes: list[str] = []
    for row in rows:
        sender = rights.load_principal(session, row["user"], device=None)
        body = orjson.loads(row["body"])
        informed = frozenset({row["id"]} if _saw_all(row["outcome"], body) else ())
        envelope = Envelope(sender=sender, writer=row["writer"], informed=informed)
        [result] = push_batch(sync, session, envelope, [body]).results
        outcomes.append(str(result.get("outcome", "retry")))
    return outcomes


def _saw_all(outcome: str, body: dict[str, Any]) -> bool:
    """P1, B2: whether nobody had written what its writer had not seen. What the store has of the
    record by now came before it, from the backup or an earlier line, under whatever number."""
    return outcome == "applied" or (outcome == "merged" and bool(body.get("strict")))
