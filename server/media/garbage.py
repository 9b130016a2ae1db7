"""What takes room and is named by nothing: found and marked, and removed after a week of that.

Bytes of evidence are removed by nobody else. After a restore the store may have forgotten photos
that a device still vouches for, so that bytes without a row are then kept for longer (P6).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Literal

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from server.db import transaction
from server.media.blobs import BlobStore
from server.media.engine import Media
from server.media.moving import RESTING
from server.media.resting import RestingBlobs
from server.media.tables import Blob, Orphan, Picture, Upload

GRACE = timedelta(days=7)
AFTER_RESTORE = timedelta(days=90)
CHUNK = 500
UNDER_WAY = ("open", "stored")

Store = Literal["originals", "pictures"]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """Something that nothing names."""

    what: Literal["originals", "pictures", "copies", "leftovers"]
    """``copies`` lie at hand although they rest in the bucket; ``leftovers`` are unfinished."""
    name: str
    bytes: int
    since: datetime
    removed: bool


def collect(
    session: Session, media: Media, *, restored_at: datetime | None, dry_run: bool = False
) -> Iterator[Garbage]:
    """Marks what nothing names, and removes what was marked for long enough; all of it, one by one.

    ``restored_at`` is when the store was last put back from a backup. A ``dry_run`` changes
    nothing, and says of each what a real one would do.
    """
    now = media.clock.now()
    kept = restored_at is not None and now - restored_at < AFTER_RESTORE
    yield from _orphans(session, media, "originals", due=None if kept else now, dry=dry_run)
    yield from _orphans(session, media, "pictures", due=now, dry=dry_run)
    if isinstance(media.originals, RestingBlobs):
        yield from _copies(session, media.originals, now, dry=dry_run)
    for leftover in chain(media.pictures.leftovers(), media.disk.leftovers()):
        late = leftover.since <= now - GRACE
        if late and not dry_run:
            leftover.path.unlink(missing_ok=True)
        yield Garbage(
            what="leftovers",
            name=leftover.path.name,
            bytes=leftover.bytes,
            since=leftover.since,
            removed=late,
        )


def _orphans(
    session: Session, media: Media, name: Store, *, due: datetime | None, dry: bool
) -> Iterator[Garbage]:
    store: BlobStore = getattr(media, name)
    names = store.names()
    while chunk := list(islice(names, CHUNK)):
        named = _named(session, name, chunk)
        if not dry:
            _unmark(session, name, named)
        for sha256 in sorted(set(chunk) - named):
            since = _mark(session, name, sha256, media.clock.now(), dry=dry)
            late = due is not None and since <= due - GRACE
            size = store.head(sha256) or 0
            removed = late and (dry or _remove(session, store, name, sha256))
            yield Garbage(what=name, name=sha256, bytes=size, since=since, removed=removed)


def _named(session: Session, name: Store, chunk: Sequence[str]) -> set[str]:
    """Those that a row names, or an upload is bringing."""
    if name == "pictures":
        return set(session.scalars(select(Picture.sha256).where(Picture.sha256.in_(chunk))))
    coming = (Upload.sha256.in_(chunk), Upload.state.in_(UNDER_WAY))
    found = set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(chunk))))
    return found | set(session.scalars(select(Upload.sha256).where(*coming)))


def _unmark(session: Session, name: Store, named: Collection[str]) -> None:
    marked = (Orphan.store == name, Orphan.sha256.in_(named))
    if session.scalar(select(Orphan.key).where(*marked).limit(1)) is not None:
        with transaction(session):
            session.execute(delete(Orphan).where(*marked))


def _mark(session: Session, name: Store, sha256: str, now: datetime, *, dry: bool) -> datetime:
    """Since when it is an orphan."""
    same = (Orphan.store == name, Orphan.sha256 == sha256)
    since = session.scalar(select(Orphan.since).where(*same))
    if since is None and not dry:
        with transaction(session):
            session.add(Orphan(store=name, sha256=sha256, since=now))
    return since or now


def _remove(session: Session, store: BlobStore, name: Store, sha256: str) -> bool:
    """M4: no row may come to name these bytes between the last look and their removal."""
    with transaction(session):
        if session.get_bind().dialect.name == "postgresql":
            table = "picture" if name == "pictures" else "blob"
            session.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
        if _named(session, name, [sha256]):
            return False
        store.delete(sha256)
        session.execute(delete(Orphan).where(Orphan.store == name, Orphan.sha256 == sha256))
    log.info("blob_removed", store=name, sha256=sha256)
    return True


def _copies(
    session: Session, stores: RestingBlobs, now: datetime, *, dry: bool
) -> Iterator[Garbage]:
    """Bytes that were put at hand again after they had come to rest."""
    names = stores.at_hand.names()
    while chunk := list(islice(names, CHUNK)):
        resting = (Blob.sha256.in_(chunk), Blob.place == RESTING, Blob.fault.is_(None))
        rows = session.execute(select(Blob.sha256, Blob.bytes).where(*resting)).all()
        session.rollback()
        for sha256, size in rows:
            if stores.at_rest.head(sha256) != size:
                continue
            if not dry and not _drop_copy(session, stores, sha256):
                continue
            yield Garbage(what="copies", name=sha256, bytes=size, since=now, removed=True)


def _drop_copy(session: Session, stores: RestingBlobs, sha256: str) -> bool:
    """M4: since it was looked, these may have made up for bytes that rotted at rest."""
    resting = (Blob.sha256 == sha256, Blob.place == RESTING, Blob.fault.is_(None))
    with transaction(session):
        if session.scalar(select(Blob.key).where(*resting).with_for_update()) is None:
            return False
        stores.at_hand.delete(sha256)
    return True
