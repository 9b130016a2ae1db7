"""P1: what the base of a mutation is worth in this epoch, when it was seen in an earlier one.

A restored server has forgotten versions, and gives their numbers to other changes. So a base from
before counts at most as the version that the record had when the next epoch began.
"""

from collections.abc import Iterable, Mapping, Sequence

from server.rows import Rows
from server.sync.load import Loaded, Waiting
from server.sync.wire import Mutation
from server.values import replace

Floors = Mapping[str, Mapping[int, int]]
"""Record → number of an epoch → the newest version that the record had when it ended."""


def rebase(rows: Rows, loaded: Loaded, mutations: Sequence[Mutation]) -> list[Mutation]:
    """``mutations`` with bases that compare in this epoch; those that wait are seen to as well.

    Asks nothing of the store unless one of them was made in an earlier epoch.
    """
    seen_in = {one.id: one.epoch or loaded.epoch for one in mutations}
    seen_in |= {one.stored.id: one.mutation.epoch or one.stored.epoch for one in loaded.waiting}
    waiting = [one.mutation for one in loaded.waiting]
    older = [m for m in (*mutations, *waiting) if seen_in[m.id] != loaded.epoch and m.base]
    if not older:
        return list(mutations)
    numbers: dict[str, int] = dict(rows.select("SELECT name, number FROM epoch"))
    floors = _floors(rows, {mutation.record for mutation in older})
    bases = {m.id: _base(m, numbers.get(seen_in[m.id]), floors) for m in older}
    loaded.waiting = [_with_base(one, bases) for one in loaded.waiting]
    return [replace(m, base=bases.get(m.id, m.base)) for m in mutations]


def _with_base(one: Waiting, bases: Mapping[str, int]) -> Waiting:
    base = bases.get(one.mutation.id, one.mutation.base)
    return replace(one, mutation=replace(one.mutation, base=base))


def _base(mutation: Mutation, number: int | None, floors: Floors) -> int:
    """The smallest of the base and the record's versions at the start of each later epoch.

    History only grows, so the next epoch has the smallest. Of an epoch that the store has
    forgotten nothing is known: P6, such a base has seen nothing, and what differs is kept.
    """
    if number is None:
        return 0
    ended = [
        version for epoch, version in floors.get(mutation.record, {}).items() if epoch <= number
    ]
    return min(mutation.base, max(ended, default=0))


def _floors(rows: Rows, records: Iterable[str]) -> Floors:
    found = rows.select(
        "SELECT record.id, record_version.epoch, max(record_version.version) FROM record_version"
        f" JOIN record ON record.key = record_version.record WHERE {rows.among('record.id')}"
        " GROUP BY record.id, record_version.epoch",
        rows.listed(sorted(records)),
    )
    floors: dict[str, dict[int, int]] = {}
    for record, epoch, version in found:
        floors.setdefault(record, {})[epoch] = version
    return floors
