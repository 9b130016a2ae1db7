"""What follows from a record's head and history: how each is checked, and how it is made again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.casework import queue
from server.casework.queries import OpenWork
from server.casework.queue import Asked
from server.clock import from_wire
from server.proof.encoding import canonical, record_hash
from server.rows import Rows, as_table
from server.sync import feed
from server.sync.batch import LIVE, Head
from server.sync.feed import FeedRow, record_digest
from server.sync.findings import What
from server.sync.history import Retold, comparable
from server.sync.store import pack_versions, scope_sums
from server.sync.tables import LEAVE, PUT, WITHDRAWAL, Feed, Record
from server.values import replace

FEED, RECORD = as_table(Feed), as_table(Record)
ELSEWHERE = "it stands in another region"


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """What the feed says of a record in one scope."""

    item: int
    version: int
    digest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One record with all that must agree with it."""

    key: int
    head: Head
    hash: str
    told: Retold
    feed: Mapping[str, Sequence[FeedEntry]]
    """By scope, in the order of the feed."""
    work: Sequence[OpenWork]
    compacted: bool
    """Whether old withdrawals and leaves have been removed from the feed."""

    @property
    def true_hash(self) -> str:
        """The hash of the data that stands."""
        return record_hash(canonical(self.head.fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """The write transaction in which something is made again."""

    session: Session
    rows: Rows


def _hash_differs(one: Looked) -> str:
    return "" if one.hash == one.true_hash else f"{one.hash}, not {one.true_hash}"


def _mend_hash(mending: Mending, one: Looked) -> None:
    mending.rows.update(RECORD, ("key", "hash"), [(one.key, one.true_hash)])


def _field_versions_differ(one: Looked) -> str:
    stands, right = comparable(one.head.versions), comparable(one.told.versions)
    names = stands.keys() | right.keys()
    return ", ".join(sorted(name for name in names if stands.get(name) != right.get(name)))


def _mend_field_versions(mending: Mending, one: Looked) -> None:
    packed = pack_versions(replace(one.head, versions=one.told.versions))
    mending.rows.update(RECORD, ("key", "field_versions"), [(one.key, packed)])


def _expected_feed(one: Looked) -> dict[str, FeedEntry]:
    """P4, P5: one row in each scope that has the record, and a leave wherever it was before."""
    head = one.head
    left = FeedEntry(LEAVE, head.version, 0)
    live = head.state == LIVE
    digest = record_digest(head.id, head.version, one.true_hash) if live else 0
    here = left if head.aged else FeedEntry(PUT if live else WITHDRAWAL, head.version, digest)
    scopes = dict.fromkeys(head.placement.scopes, here)
    return dict.fromkeys(one.feed.keys() - scopes.keys(), left) | scopes


def _wrong_scopes(one: Looked) -> list[str]:
    return sorted(
        scope
        for scope, right in _expected_feed(one).items()
        if not _says(one, one.feed.get(scope, ()), right)
    )


def _says(one: Looked, rows: Sequence[FeedEntry], right: FeedEntry) -> bool:
    """Whether the feed says ``right``, once. A leave may be older, or gone after its term."""
    if right.item == LEAVE:
        return not rows or (len(rows) == 1 and rows[0].item == LEAVE and rows[0].digest == 0)
    if right.item == WITHDRAWAL and not rows:
        return one.compacted
    return list(rows) == [right]


def _feed_differs(one: Looked) -> str:
    return ", ".join(_wrong_scopes(one))


def _mend_feed(mending: Mending, one: Looked) -> None:
    """The record is sent anew in these scopes, at the end of the feed."""
    wrong, right = _wrong_scopes(one), _expected_feed(one)
    sums = scope_sums(mending.rows, wrong)
    keys = [(one.key, sums[scope].key) for scope in wrong]
    mending.rows.delete(FEED, ("record", "scope"), keys)
    fresh = [
        FeedRow(sums[scope].key, one.key, right[scope].item, one.head.version, right[scope].digest)
        for scope in wrong
    ]
    feed.append(mending.rows, fresh, (), ())


def _item_differs(one: Looked) -> str:
    wanted = sorted((item.role, item.task) for item in one.told.waits)
    stands = sorted((work.role, work.task) for work in one.work)
    if wanted != stands:
        return f"{_said(stands)} instead of {_said(wanted)}"
    here = (one.head.placement.region, one.head.kind)
    return "" if all((work.region, work.kind) == here for work in one.work) else ELSEWHERE


def _said(items: Sequence[tuple[str, str]]) -> str:
    return ", ".join(" / ".join(item) for item in items) or "nobody"


def _mend_item(mending: Mending, one: Looked) -> None:
    asked = Asked(
        record=one.head.id,
        kind=one.head.kind,
        region=one.head.placement.region,
        waits=one.told.waits,
        is_new=False,
    )
    at = from_wire(one.told.asked_at or one.head.created_at)
    queue.apply(mending.session, [asked], by="verify", at=at)
    queue.move(mending.session, {one.head.id: one.head.placement.region})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is derived: where it differs (empty: it does not), and its making."""

    what: What
    differs: Callable[[Looked], str]
    mend: Callable[[Mending, Looked], None]


CHECKS = (
    Check("hash_differs", _hash_differs, _mend_hash),
    Check("field_versions_differ", _field_versions_differ, _mend_field_versions),
    Check("feed_differs", _feed_differs, _mend_feed),
    Check("item_differs", _item_differs, _mend_item),
)
