"""P2, P6, P7: reads every mutation and every scope, and says where their rows disagree."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.proof.encoding import sha256_hex
from server.proof.seal import digest_of
from server.rows import Row, Rows, as_table
from server.sync.agreement import moment, number_all
from server.sync.feed import to_signed, to_wire_sum
from server.sync.findings import Finding
from server.sync.tables import PUT, Scope

CHUNK = 500
SCOPE = as_table(Scope)


def verify_mutations(session: Session) -> Iterator[Finding]:
    """Each mutation against its seal, its outcome's version, and where it is kept or waits."""
    last = 0
    while True:
        with moment(session, mend=False):
            rows = Rows(session)
            found = rows.select(
                "SELECT key, id, body, content, prev, digest, outcome, version FROM mutation"
                " WHERE key > ? ORDER BY key LIMIT ?",
                last,
                CHUNK,
            )
            findings = [*_contents(found), *_versions(rows, found), *_kept(rows, found)]
        yield from findings
        if not found:
            return
        last = found[-1][0]


def _contents(found: Sequence[Row]) -> Iterator[Finding]:
    for _key, id_, body, content, prev, digest, _outcome, _version in found:
        if sha256_hex(body.encode()) != content:
            yield Finding(what="content_differs", about=id_)
        elif prev is not None and digest_of(prev, content) != digest:
            yield Finding(what="content_differs", about=id_, detail="its place in the chain")


def _versions(rows: Rows, found: Sequence[Row]) -> Iterator[Finding]:
    """P2: the version that an outcome names stands in the history of its record."""
    named = {row[1]: (_record_of(row), row[7]) for row in found if row[7] is not None}
    there = rows.select(
        "SELECT record.id, past.version FROM record_version AS past"
        " JOIN record ON record.key = past.record"
        f" WHERE {rows.among('record.id')} AND {rows.among('past.version')}",
        rows.listed(sorted({record for record, _version in named.values()})),
        rows.listed(sorted({version for _record, version in named.values()})),
    )
    known = set(there)
    for mutation, (record, version) in named.items():
        if (record, version) not in known:
            yield Finding(what="outcome_without_version", about=mutation, detail=f"{version}")


def _record_of(row: Row) -> str:
    body: dict[str, Any] = orjson.loads(row[2])
    return str(body.get("record", ""))


def _kept(rows: Rows, found: Sequence[Row]) -> Iterator[Finding]:
    """P6, P8: what was refused is parked, what waits says for what."""
    refused = [row for row in found if row[6] == "rejected"]
    waiting = [row for row in found if row[6] == "waiting"]
    parked = rows.select(
        f"SELECT id FROM record WHERE {rows.among('id')} AND kind = 'parked'",
        rows.listed([row[1] for row in refused]),
    )
    awaited = rows.select(
        f"SELECT DISTINCT mutation FROM awaited WHERE {rows.among('mutation')}",
        rows.listed([row[0] for row in waiting]),
    )
    for row in refused:
        if (row[1],) not in parked:
            yield Finding(what="not_kept", about=row[1])
    for row in waiting:
        if (row[0],) not in awaited:
            yield Finding(what="waits_for_nothing", about=row[1])


def verify_scopes(session: Session, *, mend: bool) -> Iterator[Finding]:
    """P4, P7: count, sum and newest number of each scope against the feed, in one moment."""
    number_all(session)
    findings: list[Finding] = []
    with moment(session, mend=mend):
        rows = Rows(session)
        if mend and not rows.sqlite:
            rows.select("SELECT seq FROM feed_head FOR UPDATE")
        for key, name, stands, right in _sums(rows):
            if stands == right:
                continue
            if mend:
                rows.update(SCOPE, ("key", "records", "digest", "last_seq"), [(key, *right)])
            findings.append(_scope_finding(name, stands, right, mended=mend))
        findings += _feed_head(rows, mend=mend)
    yield from findings


Sums = tuple[int, int, int]
"""Records, digest, newest number."""


def _sums(rows: Rows) -> Iterator[tuple[int, str, Sums, Sums]]:
    """(key, name, as it stands, as the feed says) of each scope."""
    found = rows.select(
        "SELECT scope.key, scope.name, scope.records, scope.digest, scope.last_seq,"
        f" coalesce(sum(CASE WHEN feed.item = {PUT} THEN 1 ELSE 0 END), 0),"
        " coalesce(sum(feed.digest >> 32), 0), coalesce(sum(feed.digest & 4294967295), 0),"
        " coalesce(max(feed.seq), 0)"
        " FROM scope LEFT JOIN feed ON feed.scope = scope.key AND feed.seq IS NOT NULL"
        " GROUP BY scope.key, scope.name, scope.records, scope.digest, scope.last_seq"
        " ORDER BY scope.key"
    )
    for key, name, records, digest, last, count, high, low, newest in found:
        total = to_signed((int(high) << 32) + int(low))
        # What was removed after its term may have had the highest number; a scope keeps it.
        yield key, name, (records, digest, last), (int(count), total, max(last, newest))


def _scope_finding(name: str, stands: Sums, right: Sums, *, mended: bool) -> Finding:
    said, counted = (
        f"{records} records, sum {to_wire_sum(digest)}, up to {last}"
        for records, digest, last in (stands, right)
    )
    return Finding(
        what="scope_differs", about=name, detail=f"{said}; it is {counted}", mended=mended
    )


def _feed_head(rows: Rows, *, mend: bool) -> Iterator[Finding]:
    [[head, newest]] = rows.select(
        "SELECT seq, (SELECT coalesce(max(seq), 0) FROM feed) FROM feed_head"
    )
    if newest > head:
        if mend:
            rows.execute("UPDATE feed_head SET seq = ?", newest)
        yield Finding(
            what="feed_head_behind", about="feed", detail=f"{head}, not {newest}", mended=mend
        )
