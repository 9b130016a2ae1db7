"""The feed's numbers and the scope digests that go with them.

P4: numbers are given one at a time to committed rows: in the write transaction on SQLite, which
has one writer, and by :func:`number_feed` after the commit on PostgreSQL. A number visible to
any reader is therefore below every number that is still to come.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.db import transaction
from server.rows import Row, Rows, as_table
from server.sync.tables import PUT, Feed, Scope
from server.values import Value

FEED, SCOPE = as_table(Feed), as_table(Scope)
BATCH = 5000
"""Rows numbered in one short transaction."""


class FeedRow(Value, frozen=True, kw_only=False):
    """One change in one scope; ``digest`` is 0 unless the record is live there."""

    scope: int
    record: int
    item: int
    version: int
    digest: int


def record_digest(record: str, version: int, data_hash: str) -> int:
    """The record's part of a scope digest: 8 bytes of SHA-256(``record:version:hash``), signed."""
    digest = hashlib.sha256(f"{record}:{version}:{data_hash}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def to_wire_sum(signed: int) -> str:
    """A sum mod 2^64 as 16 hex digits."""
    return f"{signed % 2**64:016x}"


def to_signed(total: int) -> int:
    """A sum mod 2^64 as the signed number that databases hold."""
    return (total + 2**63) % 2**64 - 2**63


@dataclass(slots=True)
class Tally:
    """What numbering changes in one scope."""

    records: int = 0
    digest: int = 0
    last_seq: int = 0


def tally(
    numbered: Iterable[tuple[int, FeedRow]], superseded: Iterable[FeedRow]
) -> Mapping[int, Tally]:
    """Per scope, the change of count and digest by new rows and the numbered rows they replace."""
    tallies: dict[int, Tally] = defaultdict(Tally)
    for seq, row in numbered:
        counted = tallies[row.scope]
        counted.records += row.item == PUT
        counted.digest += row.digest
        counted.last_seq = max(counted.last_seq, seq)
    for row in superseded:
        tallies[row.scope].records -= row.item == PUT
        tallies[row.scope].digest -= row.digest
    return tallies


@dataclass(frozen=True, slots=True)
class ScopeSum:
    """What a scope holds as far as the feed is numbered."""

    key: int
    records: int
    digest: int


def update_scopes(rows: Rows, sums: Iterable[ScopeSum], tallies: Mapping[int, Tally]) -> None:
    """Brings the scopes in step with the feed; one sequencer at a time does this."""
    changed = [
        (one.key, one.records + told.records, to_signed(one.digest + told.digest), told.last_seq)
        for one in sums
        if (told := tallies.get(one.key)) is not None
    ]
    rows.update(SCOPE, ("key", "records", "digest", "last_seq"), changed)


def append(
    rows: Rows,
    fresh: Sequence[FeedRow],
    replaced: Sequence[FeedRow],
    sums: Iterable[ScopeSum],
) -> None:
    """Adds rows to the feed within the writer's transaction; ``sums`` of the scopes concerned.

    On SQLite they are numbered here and replace the rows of the same (record, scope). On
    PostgreSQL they stay un-numbered until the sequencer, so that no writer waits for another.
    """
    columns = ("scope", "record", "item", "version", "digest")
    plain = [(row.scope, row.record, row.item, row.version, row.digest) for row in fresh]
    if not rows.sqlite:
        rows.insert(FEED, columns, plain)
        return
    rows.delete(FEED, ("record", "scope"), [(row.record, row.scope) for row in replaced])
    [[head]] = rows.select("UPDATE feed_head SET seq = seq + ? RETURNING seq", len(fresh))
    numbers = range(head + 1 - len(fresh), head + 1)
    rows.insert(FEED, ("seq", *columns), [(n, *row) for n, row in zip(numbers, plain, strict=True)])
    update_scopes(rows, sums, tally(zip(numbers, fresh, strict=True), replaced))


def number_feed(session: Session) -> int:
    """Numbers committed rows in their order, in one short transaction; how many it numbered.

    Does nothing where another process is numbering, and on SQLite, where writers number.
    """
    with transaction(session):
        rows = Rows(session)
        if rows.sqlite:
            return 0
        # P4: the rows are read only after the head is locked, so none that commits later can
        # come before them.
        head = rows.select("SELECT seq FROM feed_head FOR UPDATE SKIP LOCKED")
        if not head:
            return 0
        return _number(rows, head[0][0])


def _number(rows: Rows, head: int) -> int:
    found = rows.select(
        "SELECT key, scope, record, item, version, digest FROM feed"
        " WHERE seq IS NULL ORDER BY key LIMIT ?",
        BATCH,
    )
    if not found:
        return 0
    newest: dict[tuple[int, int], Row] = {(row[1], row[2]): row for row in found}
    kept = sorted(newest.values())
    numbers = range(head + 1, head + 1 + len(kept))
    rows.delete(FEED, ("key",), [row[:1] for row in found if newest[row[1], row[2]] is not row])
    superseded = _supersede(rows, kept)
    rows.update(FEED, ("key", "seq"), [(row[0], n) for n, row in zip(numbers, kept, strict=True)])
    fresh = [FeedRow(*row[1:]) for row in kept]
    tallies = tally(zip(numbers, fresh, strict=True), superseded)
    sums = rows.select(
        f"SELECT key, records, digest FROM scope WHERE {rows.among('key')}", rows.listed(tallies)
    )
    update_scopes(rows, [ScopeSum(*row) for row in sums], tallies)
    rows.execute("UPDATE feed_head SET seq = ?", head + len(kept))
    return len(found)


def _supersede(rows: Rows, kept: Sequence[Row]) -> list[FeedRow]:
    """Removes the numbered rows that ``kept`` replaces, and gives them back."""
    records = rows.listed([row[2] for row in kept])
    old = rows.select(
        "SELECT key, scope, record, item, version, digest FROM feed"
        f" WHERE {rows.among('record')} AND seq IS NOT NULL",
        records,
    )
    pairs = {(row[1], row[2]) for row in kept}
    gone = [row for row in old if (row[1], row[2]) in pairs]
    rows.delete(FEED, ("key",), [row[:1] for row in gone])
    return [FeedRow(*row[1:]) for row in gone]
