"""What pages ask of the records of all kinds: labels, evidence, the queue. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.casework.queries import OpenWork, all_work, waiting_for
from server.people.principal import Principal
from server.sync import queries
from server.sync.kinds import RecordKind, Registry
from server.sync.queries import StoredRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A record that another one names; ``label`` is None where the reader may not open it."""

    record: str
    kind: str
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo beneath a record."""

    record: str
    version: int
    tag: str | None
    source: str
    state: str
    content: str | None
    type: str
    sha256: str
    bytes: int
    captured: str | None
    position: dict[str, Any] | None
    exif: dict[str, Any] | None
    flags: tuple[str, ...]
    note: str | None
    guidance: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature beneath a record."""

    record: str
    part: str
    signer: str
    state: str
    content: str | None
    captured: str | None
    position: dict[str, Any] | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """B1: one line of a queue: the open item and what a list shows of its record."""

    work: OpenWork
    record: StoredRecord
    kind: RecordKind
    label: str
    summary: tuple[tuple[str, Any], ...]
    """(field, value) in the kind's order; fields that are not set are left out."""
    references: dict[str, Reference]
    """Field → the record it names."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What is remarkable about the record."""
        return tuple(self.record.data.get("flags", ()))


def open_record(
    session: Session, registry: Registry, reader: Principal, record: str
) -> StoredRecord | None:
    """P5: the record if ``reader`` may open it; otherwise as if there were none."""
    found = queries.find_record(session, record)
    return found if found and queries.may_open(registry, reader, found) else None


def queue(
    session: Session,
    registry: Registry,
    reader: Principal,
    *,
    now: datetime,
    kind: str | None = None,
    after: int | None = None,
    limit: int = 200,
) -> tuple[QueueRow, ...]:
    """B1: what waits for ``reader``, of one kind or all, the least time left first.

    ``after`` is the key of the item behind which the page begins.
    """
    works = waiting_for(session, reader, now=now, kind=kind, after=after, limit=limit)
    records = queries.find_records(session, [work.record for work in works])
    named = references(session, registry, reader, records.values())
    rows = (
        _row(registry, work, records[work.record], named[work.record])
        for work in works
        if work.record in records and registry.get(work.kind)
    )
    return tuple(rows)


def clocks_of(session: Session, record: str) -> tuple[OpenWork, ...]:
    """X8: all that waits or ever waited about ``record``, what was due first before the others."""
    return all_work(session, record)


def references(
    session: Session, registry: Registry, reader: Principal, records: Iterable[StoredRecord]
) -> dict[str, dict[str, Reference]]:
    """Record → field → the record that it names, labelled where ``reader`` may open it (P5)."""
    listed = list(records)
    ids = {record.id: _named_by(registry, record) for record in listed}
    found = queries.find_records(session, [one for named in ids.values() for one in named.values()])
    return {
        record: {
            name: _reference(registry, reader, found[target])
            for name, target in named.items()
            if target in found
        }
        for record, named in ids.items()
    }


def photos_of(session: Session, record: str) -> tuple[Photo, ...]:
    """The live photos beneath ``record``, in the order in which they were made."""
    return photos_beneath(session, [record])[record]


def photos_beneath(session: Session, records: Iterable[str]) -> dict[str, tuple[Photo, ...]]:
    """The same for several records at once, by the record above."""
    found = queries.children_of(session, records, "photo")
    return {record: tuple(map(_photo, photos)) for record, photos in found.items()}


def signatures_of(session: Session, record: str) -> tuple[Signature, ...]:
    """The live signatures beneath ``record``, in the order in which they were made."""
    return tuple(_signature(one) for one in queries.children(session, record, "signature"))


def said_beneath(
    session: Session, registry: Registry, reader: Principal, record: StoredRecord
) -> tuple[StoredRecord, ...]:
    """X9: what was said beneath ``record`` in words, as far as ``reader`` may open it (P5)."""
    kinds = [kind.name for kind in registry.kinds.values() if _speaks_of(kind, record.kind)]
    found = [one for kind in kinds for one in queries.children(session, record.id, kind)]
    return tuple(one for one in found if queries.may_open(registry, reader, one))


def _speaks_of(kind: RecordKind, about: str) -> bool:
    above = kind.references.get(kind.parent or "", frozenset())
    return "text" in kind.fields and about in above


def label_of(kind: RecordKind | None, record: StoredRecord) -> str:
    """What names the record to a person; the end of its id where it has no name."""
    value = record.data.get(kind.label) if kind and kind.label else None
    return str(value) if value else record.id[-8:]


def _row(
    registry: Registry, work: OpenWork, record: StoredRecord, named: dict[str, Reference]
) -> QueueRow:
    kind = registry.kinds[work.kind]
    shown = ((name, record.data[name]) for name in kind.summary if name in record.data)
    return QueueRow(
        work=work,
        record=record,
        kind=kind,
        label=label_of(kind, record),
        summary=tuple(shown),
        references=named,
    )


def _named_by(registry: Registry, record: StoredRecord) -> dict[str, str]:
    kind = registry.get(record.kind)
    names = kind.references if kind else ()
    return {name: record.data[name] for name in names if isinstance(record.data.get(name), str)}


def _reference(registry: Registry, reader: Principal, target: StoredRecord) -> Reference:
    may = queries.may_open(registry, reader, target)
    label = label_of(registry.get(target.kind), target) if may else None
    return Reference(record=target.id, kind=target.kind, label=label)


def _photo(record: StoredRecord) -> Photo:
    data = record.data
    return Photo(
        record=record.id,
        version=record.version,
        tag=data.get("tag"),
        source=data["source"],
        state=data["state"],
        content=data.get("content"),
        type=data["type"],
        sha256=data["sha256"],
        bytes=data["bytes"],
        captured=data.get("captured"),
        position=data.get("position"),
        exif=data.get("exif"),
        flags=tuple(data.get("flags", ())),
        note=data.get("note"),
        guidance=data.get("guidance"),
    )


def _signature(record: StoredRecord) -> Signature:
    data = record.data
    return Signature(
        record=record.id,
        part=data["part"],
        signer=data["signer"],
        state=data["state"],
        content=data.get("content"),
        captured=data.get("captured"),
        position=data.get("position"),
        flags=tuple(data.get("flags", ())),
    )
