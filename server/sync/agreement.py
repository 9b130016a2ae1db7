"""P7: reads every record with its history, feed and queue, and says where they disagree.

Works in chunks, each of one moment, so that memory stays small and the server may go on. What is
the truth (mutations, versions, heads) is read and never written.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.casework.queries import open_work
from server.db import begin_snapshot, transaction
from server.rows import Row, Rows
from server.sync.derived import CHECKS, FeedEntry, Looked, Mending
from server.sync.engine import Sync
from server.sync.feed import number_feed
from server.sync.findings import Finding, What
from server.sync.history import Version, retell
from server.sync.load import HEAD_COLUMNS, read_head
from server.sync.merge import ABSENT, is_equal

CHUNK = 200
"""Records that are read, and mended, at once."""
BYTES = frozenset({"sha256", "state"})
"""Fields of a kind whose records stand for bytes."""
EFFECTIVE = frozenset({"applied", "merged", "conflict"})


def verify_records(session: Session, sync: Sync, *, mend: bool) -> Iterator[Finding]:
    """The disagreements of all records; with ``mend``, what is derived is made again."""
    number_all(session)
    last = 0
    while True:
        with moment(session, mend=mend):
            mending = Mending(session=session, rows=Rows(session))
            chunk = _look(mending, sync, after=last, lock=mend)
            findings = [found for one in chunk for found in _compare(mending, one, mend=mend)]
        yield from findings
        if not chunk:
            return
        last = chunk[-1].key


def number_all(session: Session) -> None:
    """Gives every committed row of the feed its number."""
    while number_feed(session):
        continue


@contextmanager
def moment(session: Session, *, mend: bool) -> Iterator[None]:
    """One moment of the store; with ``mend``, a write transaction."""
    if mend:
        with transaction(session):
            yield
        return
    begin_snapshot(session)
    yield
    session.rollback()


def _look(mending: Mending, sync: Sync, *, after: int, lock: bool) -> list[Looked]:
    rows = mending.rows
    locked = " FOR UPDATE" if lock and not rows.sqlite else ""
    found = rows.select(
        f"SELECT {HEAD_COLUMNS} FROM record WHERE key > ? ORDER BY key LIMIT ?{locked}",
        after,
        CHUNK,
    )
    ids = {row[0]: row[1] for row in found}
    histories, feeds = _histories(rows, ids), _feeds(rows, sorted(ids))
    work = open_work(mending.session, ids.values())
    [[floor]] = rows.select("SELECT floor FROM feed_head")
    return [
        Looked(
            key=row[0],
            head=read_head(row, {}),
            hash=row[10],
            told=retell(sync.registry, kind=row[2], record=row[1], versions=histories[row[0]]),
            feed=feeds[row[0]],
            work=work.get(row[1], ()),
            compacted=floor > 0,
        )
        for row in found
    ]


def _histories(rows: Rows, ids: Mapping[int, str]) -> Mapping[int, list[Version]]:
    found = rows.select(
        'SELECT past.record, past.version, past."user", past.writer, past.state, past.changed,'
        " past.at, past.device, mutation.n, mutation.forked, mutation.body, mutation.outcome,"
        " mutation.id FROM record_version AS past"
        " JOIN mutation ON mutation.key = past.mutation"
        f" WHERE {rows.among('past.record')} ORDER BY past.record, past.version",
        rows.listed(sorted(ids)),
    )
    histories: dict[int, list[Version]] = defaultdict(list)
    for row in found:
        histories[row[0]].append(_version(row, ids[row[0]]))
    return histories


def _version(row: Row, record: str) -> Version:
    device, forked, outcome, mutation = row[7], row[9], row[11], row[12]
    body: dict[str, Any] = orjson.loads(row[10])
    return Version(
        version=row[1],
        user=row[2],
        writer=row[3],
        state=row[4],
        changed=orjson.loads(row[5]),
        at=row[6],
        device=f"{device}~fork" if device and forked else device,
        n=row[8],
        is_target=body.get("record") == record,
        # A refused mutation writes one record: the parked one, which has its id.
        has_effect=outcome in EFFECTIVE or mutation == record,
    )


def _feeds(rows: Rows, keys: Sequence[int]) -> Mapping[int, Mapping[str, list[FeedEntry]]]:
    found = rows.select(
        "SELECT feed.record, scope.name, feed.item, feed.version, feed.digest"
        " FROM feed JOIN scope ON scope.key = feed.scope"
        f" WHERE {rows.among('feed.record')} ORDER BY feed.key",
        rows.listed(keys),
    )
    feeds: dict[int, dict[str, list[FeedEntry]]] = defaultdict(lambda: defaultdict(list))
    for record, scope, item, version, digest in found:
        feeds[record][scope].append(FeedEntry(item, version, digest))
    return feeds


def list_verified(session: Session, sync: Sync) -> Iterator[dict[str, str]]:
    """Record → SHA-256 of the records that say their bytes are verified, chunk by chunk."""
    kinds = [name for name, kind in sync.registry.kinds.items() if kind.fields.keys() >= BYTES]
    last = 0
    while True:
        with moment(session, mend=False):
            rows = Rows(session)
            found = rows.select(
                f"SELECT key, id, data FROM record WHERE key > ? AND {rows.among('kind')}"
                " ORDER BY key LIMIT ?",
                last,
                rows.listed(kinds),
                CHUNK,
            )
        if not found:
            return
        last = found[-1][0]
        told = {id_: orjson.loads(text) for _key, id_, text in found}
        yield {id_: data["sha256"] for id_, data in told.items() if data["state"] == "verified"}


def _compare(mending: Mending, one: Looked, *, mend: bool) -> Iterator[Finding]:
    broken: list[tuple[What, str]] = [*one.told.wrong, *_head_differs(one)]
    for what, detail in broken:
        yield Finding(what=what, about=one.head.id, detail=detail)
    if broken:
        return  # what follows from a head that nobody can trust is left as it is
    for check in CHECKS:
        detail = check.differs(one)
        if detail and mend:
            check.mend(mending, one)
        if detail:
            yield Finding(what=check.what, about=one.head.id, detail=detail, mended=mend)


def _head_differs(one: Looked) -> Iterator[tuple[What, str]]:
    head, told = one.head, one.told
    if head.version != told.last:
        yield "history_gap", f"the head says {head.version}, the history {told.last}"
    names = head.fields.keys() | told.fields.keys()
    wrong = [
        name
        for name in sorted(names)
        if not is_equal(head.fields.get(name, ABSENT), told.fields.get(name, ABSENT))
    ]
    if wrong:
        yield "head_differs", ", ".join(wrong)
    if head.state != told.state:
        yield "head_differs", "live or withdrawn"
