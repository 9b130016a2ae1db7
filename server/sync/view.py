"""One moment of the feed, as a reader sees it: head, epoch and scopes in the first statement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server.db import begin_snapshot, glancing
from server.people.principal import Principal
from server.rows import Rows
from server.sync.feed import number_feed


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """A scope as the feed has it at the moment of the snapshot."""

    key: int
    name: str
    last_seq: int
    records: int
    digest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """The feed at one moment."""

    epoch: str
    stretch: str
    head: int
    floor: int
    scopes: Mapping[str, ScopeRow]
    """The reader's scopes that the feed knows, by name."""
    unnumbered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(FeedState):
    """The same with a transaction that goes on seeing this moment: what a page is read from."""

    rows: Rows


PENDING = (
    "(SELECT count(*) FROM (SELECT 1 FROM feed WHERE seq IS NULL ORDER BY key LIMIT 1) AS pending)"
)
"""The order keeps the look on the index of rows without a number. After many of them were seen at
once PostgreSQL expects to meet one anywhere, and without it would read the whole feed."""


def glimpse(engine: Engine, reader: Principal) -> FeedState:
    """The feed as it is now, without a transaction to read on in."""
    with glancing(engine) as glance:
        return FeedState(**_read_state(Rows(glance), reader))


def look(session: Session, reader: Principal) -> Snapshot:
    """A snapshot of the feed; numbers first what was committed since (P4)."""
    snapshot = _look(session, reader)
    if not snapshot.unnumbered:
        return snapshot
    number_feed(session)  # it ends the snapshot, also where another one is numbering
    return _look(session, reader)


def _look(session: Session, reader: Principal) -> Snapshot:
    begin_snapshot(session)
    rows = Rows(session)
    return Snapshot(rows=rows, **_read_state(rows, reader))


def _read_state(rows: Rows, reader: Principal) -> dict[str, Any]:
    """The fields of a :class:`FeedState`."""
    # On SQLite writers number what they write, and looking for rows without one reads the feed.
    pending = "0" if rows.sqlite else PENDING
    found = rows.select(
        "SELECT key, name, last_seq, records, digest, 0, 0, '', '', 0 FROM scope"
        f" WHERE {rows.among('name')}"
        f" UNION ALL SELECT 0, '', 0, 0, 0, seq, {pending},"
        " (SELECT name FROM epoch ORDER BY number DESC LIMIT 1),"
        " (SELECT name FROM feed_stretch ORDER BY number DESC LIMIT 1), floor FROM feed_head",
        rows.listed(sorted(reader.scopes)),
    )
    head = next(row for row in found if row[0] == 0)
    scopes = {row[1]: ScopeRow(*row[:5]) for row in found if row[0]}
    return {
        "epoch": head[7],
        "stretch": head[8],
        "head": head[5],
        "floor": head[9],
        "scopes": scopes,
        "unnumbered": bool(head[6]),
    }
