"""What lost or was refused, and the new mutations that bring it back (P6).

Restoring never changes what was said before: it makes a new mutation that names what it restores.
Nothing here saves or speaks HTTP.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldstamp import _replica
from fieldstamp._capture import Base, Intent
from fieldstamp._errors import FieldstampError, UnknownRecordError
from fieldstamp._store import Transaction
from fieldstamp._values import Record

_LAST = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refused mutation, as its parked record or the own queue tells it."""

    id: str
    action: str
    kind: str
    record: str
    set: Mapping[str, Any]
    unset: Sequence[str]
    under: str | None
    place: int = _LAST
    """Its place in the own queue; what another device sealed comes behind."""


def of_state_open(transaction: Transaction, kind: str) -> list[Record]:
    """The records of ``kind`` (``conflict`` or ``parked``) that nobody has settled."""
    return [kept for kept in _replica.of_kind(transaction, kind) if kept.get("state") == "open"]


def to_restore(
    transaction: Transaction, kept: str, corrections: Mapping[str, Any], cleared: Sequence[str]
) -> list[Intent]:
    """What brings back the values of a conflict, or a refused mutation and all beneath it.

    Raises UnknownRecordError, and FieldstampError ``settled`` where that was done already.
    """
    _need_unsettled(transaction, kept)
    found = _replica.find(transaction, kept)
    if found is not None and found.kind == "conflict":
        intent = _from_conflict(transaction, found, {"restores": {"conflict": kept}})
        return [_corrected(intent, corrections, cleared)]
    refused = _refused(transaction)
    if kept not in refused:
        raise UnknownRecordError(f"nothing that lost or was refused has the id {kept}")
    whole = list(_with_all_beneath(refused, kept))
    made = {one.record for one in whole if one.action == "create"}
    intents = [_from_refused(transaction, one, made) for one in whole]
    return [_corrected(intents[0], corrections, cleared), *intents[1:]]


def to_resolve(
    transaction: Transaction, conflict: str, values: Mapping[str, Any], cleared: Sequence[str]
) -> Intent:
    """What closes a conflict with the given values; with none, what stands is kept."""
    _need_unsettled(transaction, conflict)
    found = _replica.find(transaction, conflict)
    if found is None or found.kind != "conflict":
        raise UnknownRecordError(f"there is no conflict {conflict} in this store")
    target = _need_record(transaction, found["record"])
    return Intent(
        action="patch",
        kind=target.kind,
        record=target.id,
        base=Base(version=target.version, epoch=target.epoch),
        set=values,
        unset=cleared,
        extra={"resolves": [conflict]},
    )


def _need_unsettled(transaction: Transaction, kept: str) -> None:
    """Pressing a button twice must not make two mutations."""
    found = _replica.find(transaction, kept)
    again = "SELECT 1 FROM mutation WHERE restores = ? AND state <> 'rejected'"
    if transaction.one(again, kept) or (found and found.get("state", "open") != "open"):
        raise FieldstampError(f"{kept} was settled already", code="settled", action="Sync.")


def _need_record(transaction: Transaction, record: str) -> Record:
    found = _replica.find(transaction, record)
    if found is None:
        raise UnknownRecordError(f"record {record} is not on this device")
    return found


def _from_conflict(transaction: Transaction, conflict: Record, extra: Mapping[str, Any]) -> Intent:
    target = _need_record(transaction, conflict["record"])
    lost: Mapping[str, Any] = conflict.get("lost", {})
    withdraws = lost == {"withdrawn": True}
    return Intent(
        action="withdraw" if withdraws else "patch",
        kind=target.kind,
        record=target.id,
        base=Base(version=target.version, epoch=target.epoch),
        set={} if withdraws else lost,
        unset=() if withdraws else [name for name in conflict["fields"] if name not in lost],
        extra=extra,
    )


def _refused(transaction: Transaction) -> dict[str, Refused]:
    """Every refused mutation that this device knows of and nobody has settled, by id."""
    known = {one.id: one for one in _own_refused(transaction)}
    for parked in of_state_open(transaction, "parked"):
        if parked.id not in known:
            known[parked.id] = Refused(
                id=parked.id,
                action=parked["action"],
                kind=parked["record_kind"],
                record=parked["record"],
                set=parked.get("set", {}),
                unset=parked.get("unset", ()),
                under=parked.get("under"),
            )
    return known


def _own_refused(transaction: Transaction) -> Iterator[Refused]:
    rows = transaction.rows(
        "SELECT m.n, m.id, m.body, m.problem FROM mutation m WHERE m.state = 'rejected' AND"
        " NOT EXISTS (SELECT 1 FROM mutation c WHERE c.restores = m.id AND c.state <> 'rejected')"
    )
    for place, mutation, body, problem in rows:
        said = json.loads(body)
        yield Refused(
            id=mutation,
            action=said["action"],
            kind=said["kind"],
            record=said["record"],
            set=said.get("set", {}),
            unset=said.get("unset", ()),
            under=json.loads(problem or "{}").get("cause"),
            place=place,
        )


def _with_all_beneath(refused: Mapping[str, Refused], kept: str) -> Iterator[Refused]:
    """The mutation and what was refused because of it, in the order in which it was saved."""
    yield refused[kept]
    beneath = [one for one in refused.values() if one.under == kept and one.id != kept]
    for one in sorted(beneath, key=lambda found: (found.place, found.id)):
        yield from _with_all_beneath(refused, one.id)


def _from_refused(transaction: Transaction, one: Refused, made: set[str]) -> Intent:
    target = _replica.find(transaction, one.record)
    if target is None and one.record not in made:
        raise UnknownRecordError(f"record {one.record} is not on this device")
    is_there = target is not None and target.version > 0
    return Intent(
        action="patch" if one.action == "create" and is_there else one.action,
        kind=one.kind,
        record=one.record,
        base=Base(version=target.version, epoch=target.epoch) if target else Base(),
        set=one.set,
        unset=tuple(one.unset),
        extra={"restores": {"parked": one.id}},
    )


def _corrected(intent: Intent, corrections: Mapping[str, Any], cleared: Sequence[str]) -> Intent:
    kept = {name: value for name, value in intent.set.items() if name not in cleared}
    unset = {*intent.unset, *cleared} - corrections.keys()
    # A create has nothing to clear: leaving the field out is the correction.
    return Intent(
        action=intent.action,
        kind=intent.kind,
        record=intent.record,
        base=intent.base,
        set=kept | dict(corrections),
        unset=() if intent.action == "create" else sorted(unset),
        extra=intent.extra,
    )
