"""What changed in all scopes since a place in the feed: for those who follow the whole company.

Reads only. A device pulls instead, and sees its own scopes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from server.sync.batch import LIVE
from server.sync.tables import Feed, FeedHead, MutationRow, Record, RecordVersion, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """One version of a record: which change made it, and field → (old, new)."""

    record: str
    version: int
    mutation: str
    at: str
    live: bool
    changed: Mapping[str, tuple[Any, Any]]


def feed_head(session: Session) -> int:
    """The place of the newest change that can be read."""
    return session.scalar(select(FeedHead.seq)) or 0


def changed_after(session: Session, place: int, *, limit: int) -> tuple[list[str], int]:
    """Ids of records with news behind ``place``, and the place up to which that is all of them.

    P4: a number that is still to come is greater than every one that can be read.
    """
    head = feed_head(session)
    if head <= place:
        return [], place
    # By scope, since that is how the feed is indexed; scopes without news cost one row each.
    rows = session.execute(
        select(Feed.seq, Record.id)
        .join(Scope, Scope.key == Feed.scope)
        .join(Record, Record.key == Feed.record)
        .where(Scope.last_seq > place, Feed.seq > place)
        .order_by(Feed.seq)
        .limit(limit)
    ).all()
    reached = rows[-1].seq if len(rows) == limit else head
    return list(dict.fromkeys(row.id for row in rows)), reached


def versions_after(session: Session, seen: Mapping[str, int]) -> list[NewVersion]:
    """The versions of each record of ``seen`` above the one that it names, oldest first."""
    if not seen:
        return []
    alike: dict[int, list[str]] = defaultdict(list)
    for record, version in seen.items():
        alike[version].append(record)
    newer = (
        and_(Record.id.in_(records), RecordVersion.version > version)
        for version, records in alike.items()
    )
    rows = session.execute(
        select(RecordVersion, Record.id, MutationRow.id)
        .join(Record, Record.key == RecordVersion.record)
        .join(MutationRow, MutationRow.key == RecordVersion.mutation)
        .where(or_(*newer))
        .order_by(RecordVersion.record, RecordVersion.version)
    ).all()
    return [_version(row, record, mutation) for row, record, mutation in rows]


def _version(row: RecordVersion, record: str, mutation: str) -> NewVersion:
    return NewVersion(
        record=record,
        version=row.version,
        mutation=mutation,
        at=row.at,
        live=row.state == LIVE,
        changed=_pairs(row.version, orjson.loads(row.changed)),
    )


def _pairs(version: int, told: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    if version == 1:
        return {name: (None, new) for name, new in told.items()}
    pairs: Mapping[str, Sequence[Any]] = told
    return {name: (old, new) for name, (old, new) in pairs.items()}
