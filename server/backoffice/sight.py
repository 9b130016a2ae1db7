"""Reads a record and everything that belongs to it, for one reader. Words nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from server.backoffice.offers import Offer, offers_on
from server.casework.queries import OpenWork
from server.domain import queries
from server.domain.evidence.queries import matches_about
from server.domain.queries import Photo, Reference, Signature
from server.domain.review.restoring import KEPT, may_restore
from server.errors import Problem
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import RecordKind
from server.sync.queries import StoredRecord, StoredVersion, history, kept_about


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A record as it stands at one moment."""

    record: StoredRecord
    kind: RecordKind
    references: dict[str, Reference]
    versions: tuple[StoredVersion, ...]
    kept: tuple[StoredRecord, ...]
    photos: tuple[Photo, ...]
    signatures: tuple[Signature, ...]
    matches: dict[str, list[StoredRecord]]
    """B3: photo → what is known of other photos like it."""
    beneath: tuple[StoredRecord, ...]
    """X9: what others said about it, in records of their own."""
    clocks: tuple[OpenWork, ...]
    """X8: what waits, and whatever waited."""
    offers: tuple[Offer, ...]
    """B2: what the reader may decide on it as it stands."""
    handled: bool
    """X8: whether the reader may name who works it, or stop its clock."""
    restorable: bool
    """P6: whether the reader may bring back what was kept beside it."""

    @property
    def work(self) -> OpenWork | None:
        """What must be done first, if anything waits."""
        return next((one for one in self.clocks if one.closed_at is None), None)

    @property
    def evidence(self) -> str:
        """A mark that changes with every photo and signature that comes or goes."""
        photos = [photo.record for photo in self.photos]
        listed = sorted([*photos, *(one.record for one in self.signatures)])
        return hashlib.sha256(" ".join(listed).encode()).hexdigest()[:16]

    def keys(self) -> Iterator[str | None]:
        """Ids of the people and devices that wrote it."""
        for version in self.versions:
            yield from (version.user, version.device)


def look_at(reader: Principal, record: str) -> Sight:
    """P5: a record that ``reader`` may open. *Raises* ``not_found`` for every other id."""
    session, registry = db.session(), services().sync.registry
    found = queries.open_record(session, registry, reader, record)
    kind = registry.get(found.kind) if found else None
    if found is None or kind is None:
        raise Problem("not_found")
    photos = queries.photos_of(session, record)
    return Sight(
        record=found,
        kind=kind,
        references=queries.references(session, registry, reader, [found])[found.id],
        versions=tuple(history(session, record)),
        kept=(found,) if found.kind in KEPT else tuple(kept_about(session, record)),
        photos=photos,
        signatures=queries.signatures_of(session, record),
        matches=matches_about(session, registry, reader, [one.record for one in photos]),
        beneath=queries.said_beneath(session, registry, reader, found),
        clocks=queries.clocks_of(session, record),
        offers=offers_on(reader, found, kind),
        handled=_is_handled(reader, found, kind),
        restorable=_is_restorable(reader, found, kind),
    )


def _is_restorable(reader: Principal, record: StoredRecord, kind: RecordKind) -> bool:
    concerned = services().sync.registry.get(record.data.get("record_kind", "")) or kind
    return may_restore(reader, concerned, record.region)


def _is_handled(reader: Principal, record: StoredRecord, kind: RecordKind) -> bool:
    state = str(record.data.get("state"))
    open_case = kind.machine is not None and record.live and not kind.machine.is_end(state)
    return open_case and reader.has(kind.decide_roles, record.region)
