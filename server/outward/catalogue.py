"""The events that there are, what a change means for the outside, and how it is written. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import orjson

from server.casework.machine import Machine
from server.domain.review.rules import is_taken_back
from server.sync.changes import NewVersion
from server.sync.kinds import RecordKind
from server.sync.queries import StoredRecord
from server.values import Value

EventType = Literal[
    "case.created",
    "case.changed_state",
    "case.decided",
    "deadline.warned",
    "deadline.missed",
]
TYPES: tuple[EventType, ...] = get_args(EventType)
DECIDED_AT = "decided_at"
WITHDRAWN = "withdrawn"


class Happening(Value, frozen=True):
    """Something that the outside is to hear of a record."""

    type: EventType
    record: str
    source: str
    """What made it: the id of a mutation, or of an open item."""
    at: str
    facts: Mapping[str, Any] = {}

    @property
    def id(self) -> str:
        """The same for the same thing, also where it is taken down again after a restore."""
        hashed = hashlib.sha256(f"{self.type}\n{self.record}\n{self.source}".encode())
        return f"evt_{hashed.hexdigest()[:32]}"


def is_casework(kind: RecordKind | None) -> bool:
    """Whether records of ``kind`` pass through states until somebody decides them."""
    return kind is not None and bool(kind.decide_roles) and "state" in kind.fields


def read_version(version: NewVersion, machine: Machine | None) -> tuple[Happening, ...]:
    """What the outside is to hear of one version, in this order.

    Of a kind with a ``machine`` many verdicts only lead on; it is decided by one that ends it.
    """
    was, now = version.changed.get("state", (None, None))
    found: list[Happening] = []
    if version.version == 1:
        found.append(_happening("case.created", version, {"state": now}))
    elif not version.live:
        found.append(_happening("case.changed_state", version, {"state": WITHDRAWN}))
    elif was != now:
        found.append(_happening("case.changed_state", version, {"from": was, "state": now}))
    if is_verdict(version) and (machine is None or machine.is_end(str(now))):
        found.append(_happening("case.decided", version, _verdict(version)))
    return tuple(found)


def is_verdict(version: NewVersion) -> bool:
    """Whether somebody gave a verdict with this version, which may be taken back (B2)."""
    was, now = version.changed.get(DECIDED_AT, (None, None))
    return now is not None and not is_taken_back(was, now)


def is_undo(version: NewVersion) -> bool:
    """B2: whether this version takes a decision back."""
    was, now = version.changed.get(DECIDED_AT, (None, None))
    return was is not None and is_taken_back(was, now)


def _happening(type_: EventType, version: NewVersion, facts: Mapping[str, Any]) -> Happening:
    return Happening(
        type=type_,
        record=version.record,
        source=version.mutation,
        at=version.at,
        facts={"version": version.version, **facts},
    )


def _verdict(version: NewVersion) -> dict[str, Any]:
    """The verdict alone; its reasons are for those who may open the record (K4)."""
    verdict = version.changed.get("verdict", (None, None))[1]
    return {"verdict": verdict} if verdict is not None else {}


def number_of(record: StoredRecord) -> str:
    """What a person calls the record by: its number, or the end of its id."""
    return str(record.data.get("number") or record.id[-8:])


def write_body(
    happening_id: str,
    type_: str,
    at: str,
    facts: Mapping[str, Any],
    *,
    record: StoredRecord,
    attachments: Iterable[StoredRecord],
    origin: str,
) -> str:
    """K4: ids, states, times and a link. What a record says is behind it, with its rights."""
    data = {
        "record": record.id,
        "kind": record.kind,
        "number": number_of(record),
        "region": record.region,
        **facts,
        "attachments": [
            {"record": one.id, "kind": one.kind, "sha256": one.data["sha256"]}
            for one in attachments
        ],
        "link": f"{origin}/office/records/{record.id}",
    }
    body = {"id": happening_id, "type": type_, "timestamp": at, "data": data}
    return orjson.dumps(body).decode()
