"""The engine's one door for readers: records, history, and what was received. Reads only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import BindParameter, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from server.clock import from_wire
from server.db import looking
from server.errors import Problem
from server.people.principal import Principal
from server.rows import Rows, as_text
from server.sync.batch import LIVE, told_data
from server.sync.claims import claims_of
from server.sync.kinds import Data, RecordKind, Registry
from server.sync.tables import Claim, MutationRow, Record, RecordVersion, Unapplied


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as it stands."""

    id: str
    kind: str
    version: int
    live: bool
    data: Data
    scopes: frozenset[str]
    region: str | None
    creator: str
    parent: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """B4: one version: who wrote it, from where, and field → (old, new)."""

    version: int
    user: str
    device: str | None
    writer: str
    live: bool
    changed: Mapping[str, tuple[Any, Any]]
    at: str
    mutation: str
    seal: str
    captured: Mapping[str, Any]
    """P9: what the device's clocks said; stands beside ``at`` and orders nothing."""


ABOVE = select(Record.key, Record.id).subquery()
WITH_PARENT = select(Record, ABOVE.c.id).outerjoin(ABOVE, ABOVE.c.key == Record.parent)
IDS: BindParameter[list[str]] = bindparam("ids_", expanding=True)
NAMED = WITH_PARENT.where(Record.id.in_(IDS))
BENEATH = WITH_PARENT.where(
    Record.parent.in_(select(Record.key).where(Record.id.in_(IDS))),
    Record.kind == bindparam("kind_"),
)
"""Put together once: doing so costs more than asking."""


def may_open(registry: Registry, reader: Principal, record: StoredRecord) -> bool:
    """P5: by scope, or by an office role that covers the record's region."""
    if record.scopes & reader.scopes:
        return True
    return reader.has(registry.openers(record.kind, record.data), record.region)


def last_fork(session: Session, device: str) -> datetime | None:
    """When a second mutation at one place of the device's chain was last received."""
    forked = (MutationRow.device == device) & MutationRow.forked
    received = session.scalar(select(func.max(MutationRow.received_at)).where(forked))
    return from_wire(received) if received else None


def find_record(session: Session, record: str) -> StoredRecord | None:
    """The record with this id, whoever may see it."""
    return find_records(session, [record]).get(record)


def find_records(session: Session, records: Iterable[str]) -> dict[str, StoredRecord]:
    """Records by id; ids that name none are left out."""
    found = session.execute(NAMED, {"ids_": sorted(set(records))})
    return {row.id: _record(row, parent) for row, parent in found}


def children(session: Session, record: str, kind: str) -> list[StoredRecord]:
    """The live records of ``kind`` beneath ``record``, in the order in which they arrived."""
    return children_of(session, [record], kind)[record]


def children_of(
    session: Session, records: Iterable[str], kind: str
) -> dict[str, list[StoredRecord]]:
    """The same for several records at once, by the record above."""
    beneath: dict[str, list[StoredRecord]] = {record: [] for record in records}
    rows = session.execute(BENEATH, {"ids_": sorted(beneath), "kind_": kind})
    found = [_record(row, parent) for row, parent in rows]
    for one in sorted(found, key=lambda one: one.id):
        if one.live and one.parent is not None:
            beneath[one.parent].append(one)
    return beneath


def kept_about(session: Session, record: str) -> list[StoredRecord]:
    """P6: the conflicts and the parked mutations about a record, in the order of arrival."""
    refused = (
        select(MutationRow.id)
        .join(Unapplied, Unapplied.mutation == MutationRow.key)
        .where(Unapplied.record == record)
    )
    parked = _read(session, Record.id.in_(refused) & (Record.kind == "parked"))
    found = [*children(session, record, "conflict"), *parked.values()]
    return sorted(found, key=lambda one: one.created_at)


def _read(session: Session, wanted: Any) -> dict[str, StoredRecord]:
    rows = session.execute(WITH_PARENT.where(wanted))
    return {row.id: _record(row, parent) for row, parent in rows}


def _record(row: Record, parent: str | None) -> StoredRecord:
    return StoredRecord(
        id=row.id,
        kind=row.kind,
        version=row.version,
        live=row.state == LIVE,
        data=orjson.loads(row.data),
        scopes=frozenset(orjson.loads(row.scopes)),
        region=row.region,
        creator=row.creator,
        parent=parent,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def holders(session: Session, kind: RecordKind, wanted: Mapping[str, Data]) -> dict[str, str]:
    """K2: the live record that holds a claim key of the values in ``wanted``, by their name."""
    keys = {name: claims_of(kind, values) for name, values in wanted.items()}
    found = session.execute(
        select(Claim.digest, Claim.record)
        .join(Record, Record.id == Claim.record)
        .where(Claim.digest.in_(sorted(set().union(*keys.values()))), Record.state == LIVE)
    )
    held = {row.digest: row.record for row in found}
    return {name: held[key] for name, own in keys.items() for key in own if key in held}


def history(session: Session, record: str) -> list[StoredVersion]:
    """Every version of a record, the first one first."""
    rows = session.execute(
        select(RecordVersion, MutationRow.id, MutationRow.seal, MutationRow.body)
        .join(Record, Record.key == RecordVersion.record)
        .join(MutationRow, MutationRow.key == RecordVersion.mutation)
        .where(Record.id == record)
        .order_by(RecordVersion.version)
    )
    return [_version(row, mutation, seal, body) for row, mutation, seal, body in rows]


def received(session: Session, mutation: str) -> Data:
    """A mutation as it was sealed, or as the office made it. *Raises* ``not_found``."""
    body = session.scalar(select(MutationRow.body).where(MutationRow.id == mutation))
    if body is None:
        raise Problem("not_found")
    told: Data = orjson.loads(body)
    return told


def data_at(session: Session, record: str, version: int) -> Data:
    """B4: the data of a record in one of its versions. *Raises* ``not_found``."""
    told = [one for one in history(session, record) if one.version <= version]
    if not told or told[-1].version != version:
        raise Problem("not_found")
    return told_data({name: pair[1] for name, pair in one.changed.items()} for one in told)


def _version(row: RecordVersion, mutation: str, seal: str, body: str) -> StoredVersion:
    told = orjson.loads(row.changed)
    pairs = {name: (None, new) for name, new in told.items()} if row.version == 1 else told
    return StoredVersion(
        version=row.version,
        user=row.user,
        device=row.device,
        writer=row.writer,
        live=row.state == LIVE,
        changed={name: (old, new) for name, (old, new) in pairs.items()},
        at=row.at,
        mutation=mutation,
        seal=seal,
        captured=orjson.loads(body).get("captured") or {},
    )


SENT = as_text(
    select(MutationRow.body)
    .join(RecordVersion, RecordVersion.mutation == MutationRow.key)
    .join(Record, Record.key == RecordVersion.record)
    .where(Record.id == bindparam("record_"), RecordVersion.version == literal_column("1"))
    .where(MutationRow.user == bindparam("user_"))
    .union_all(
        select(MutationRow.body)
        .join(Unapplied, Unapplied.mutation == MutationRow.key)
        .where(Unapplied.record == bindparam("record_"), Unapplied.user == bindparam("user_"))
    )
)
"""What one user sent about a record: its first version, and what was not applied."""


def creation_received(session: Session, record: str, user: str) -> Data | None:
    """The values of the create of ``record`` that ``user`` sent, whatever became of it.

    None where this server received none from this user.
    """
    with looking(session) as source:
        bodies = Rows(source).select(SENT, record, user, record, user)
    for (body,) in bodies:
        mutation = orjson.loads(body)
        if mutation.get("action") == "create":
            values: Data = mutation.get("set", {})
            return values
    return None
