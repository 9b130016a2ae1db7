"""K2: claim keys: what one record of a kind holds alone, and what becomes of a second. Pure.

The first commit takes a key. A later record is applied and flagged, and says nothing of the other
one; a record of its own, in the regions of both, names them to a person.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from server.proof.encoding import sha256_hex
from server.sync.batch import LIVE, Batch, Head, Holder
from server.sync.kept import asked_of, created, server_made
from server.sync.kinds import Change, Data, Placement, RecordKind
from server.sync.wire import Mutation
from server.values import Value

DUPLICATE = "claim_duplicate"
LONGEST_TIME = 40
VACANT = Holder(record="")
MATCH = "claim_match"
"""The kind of the record that names two records to a person."""


Taken = tuple[str, Holder]
"""A claim key with the holder that it now has."""


class Claimed(Value, frozen=True):
    """What a version of a record does to claim keys."""

    moves: tuple[Taken, ...] = ()
    twins: tuple[Holder, ...] = ()
    """Records that hold a key which this one names too."""


def _normalised(value: Any) -> str:
    """``value`` as people mean it: width, case, blanks and punctuation make no other customer."""
    folded = unicodedata.normalize("NFKC", str(value or "")).casefold()
    return "".join(filter(str.isalnum, folded))


def _said(kind: RecordKind, name: str, value: Any) -> str:
    """What a field says for its key: an amount by what it is worth, all else as people mean it."""
    if name in kind.amounts and value:
        return f"{Decimal(value).normalize():f}"
    return _normalised(value)


def claims_of(kind: RecordKind, data: Data) -> frozenset[str]:
    """The claim keys of a record, hashed; one whose fields are not all filled in is none."""
    found: set[str] = set()
    for names in kind.claims:
        parts = [_said(kind, name, data.get(name)) for name in names]
        if all(parts):
            found.add(sha256_hex("\n".join((kind.name, *names, *parts)).encode()))
    return frozenset(found)


def number_key(number: str) -> str:
    """The claim key of a number: whatever their kinds, two records never have the same."""
    return sha256_hex(f"number\n{number}".encode())


def first_number(batch: Batch, kind: RecordKind, record: str) -> tuple[Data, list[Taken]]:
    """The number of a new record as a field, and the claim that keeps others from it (X1)."""
    if kind.numbered is None:
        return {}, []
    number = batch.numbers[record]
    return {"number": number}, [(number_key(number), Holder(record=record))]


def claim(batch: Batch, kind: RecordKind, change: Change, mutation: Mutation) -> Claimed:
    """What ``change`` takes, leaves and finds taken."""
    if not kind.claims:
        return Claimed()
    before, after = claims_of(kind, change.before or {}), claims_of(kind, change.after)
    own = Holder(record=change.record, captured=_wall(mutation))
    moves = [(key, VACANT) for key in sorted(before - after) if _holds(batch, key) == change.record]
    twins: dict[str, Holder] = {}
    for key in sorted(after - before):
        holder = batch.claims.get(key, VACANT)
        if holder.record != change.record and _stands(batch, holder):
            twins[holder.record] = holder
        else:
            moves.append((key, own))
    return Claimed(moves=tuple(moves), twins=tuple(twins.values()))


def _wall(mutation: Mutation) -> str | None:
    """What the device says that its clock showed."""
    wall = mutation.captured.get("wall")
    return wall if isinstance(wall, str) and len(wall) <= LONGEST_TIME else None


def _holds(batch: Batch, key: str) -> str:
    return batch.claims.get(key, VACANT).record


def _stands(batch: Batch, holder: Holder) -> bool:
    """Whether the holder is a record that was not withdrawn."""
    head = batch.heads.get(holder.record)
    return head.state == LIVE if head is not None else holder.live


def matches(batch: Batch, mutation: Mutation, head: Head, twins: Sequence[Holder]) -> list[Any]:
    """The records that name ``head`` and each of its ``twins`` to whoever manages a region."""
    made = [_match(batch, mutation, head, twin) for twin in twins]
    return [created(one, waits=asked_of(batch, one, None)) for one in made]


def _match(batch: Batch, mutation: Mutation, head: Head, twin: Holder) -> Head:
    there = batch.heads.get(twin.record)
    region = there.placement.region if there is not None else twin.region
    fields: Data = {
        "record": head.id,
        "earlier": twin.record,
        "record_kind": head.kind,
        "user": mutation.user,
        "state": "open",
    }
    captured = {"captured": _wall(mutation), "earlier_captured": twin.captured}
    fields |= {name: when for name, when in captured.items() if when is not None}
    return server_made(
        batch,
        kind=MATCH,
        record=batch.new_id(),
        fields=fields,
        placement=Placement(
            scopes=_regions((head.placement.region, region)),
            region=region or head.placement.region,
        ),
    )


def _regions(regions: Iterable[str | None]) -> frozenset[str]:
    return frozenset(f"region:{region}" for region in regions if region)
