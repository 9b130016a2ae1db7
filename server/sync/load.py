"""Loads what a batch needs: mutations already known, records locked, parents, references."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from server.people.principal import Principal
from server.rows import Row, Rows, as_table
from server.sync.batch import LIVE, Head, Holder, Sender, told_data
from server.sync.claims import claims_of, number_key
from server.sync.decide import ids_in
from server.sync.kept import names_kept
from server.sync.kinds import Data, Placement, Registry
from server.sync.merge import FieldVersion
from server.sync.tables import LEAVE, Claim
from server.sync.wire import Mutation, Outcome, read_mutation
from server.values import Value, replace

CLAIM = as_table(Claim)
HEAD_COLUMNS = (
    "key, id, kind, version, state, parent, creator, region, scopes, data, hash,"
    " field_versions, created_at, aged"
)
MUTATION_COLUMNS = (
    'key, id, "user", content, digest, epoch, outcome, code, version, result, received_at, forked'
)


class StoredMutation(Value, frozen=True):
    """A mutation as its row tells it."""

    key: int
    id: str
    user: str
    content: str
    digest: str | None
    epoch: str
    outcome: Outcome
    received_at: str
    forked: bool = False


class Waiting(Value, frozen=True):
    """A mutation that waits in the store, as it was sealed, with the columns of its row."""

    mutation: Mutation
    stored: StoredMutation
    writer: Sender


@dataclass(slots=True, kw_only=True)
class Loaded:
    """What the store knows of a batch."""

    epoch: str
    epoch_number: int = 1
    known: dict[str, StoredMutation] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    read: dict[int, tuple[Row, Head]] = field(default_factory=dict, compare=False)
    """Rows of records by key, with what was read in each."""
    hashes: dict[str, str] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    moved: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    chain: dict[int, frozenset[str]] = field(default_factory=dict)
    """Digests by number in the sender's chain, at the places of the batch and before them."""
    forked: frozenset[str] = frozenset()
    """Mutations of the batch whose place in their device's chain another one has."""
    past: dict[tuple[str, int], Data] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    making: frozenset[str] = frozenset()
    """Records that the batch makes by mutations which have no final outcome yet."""
    claims: dict[str, Holder] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    """The numbers of the records that the batch makes, by record."""


def unpack_versions(text: str, fields: Mapping[str, Any]) -> dict[str, FieldVersion]:
    """Reads what :func:`pack_versions` wrote."""
    packed: dict[str, list[Any]] = orjson.loads(text)
    shared = packed.pop("*", None)
    entries: dict[str, Any] = dict.fromkeys(fields, tuple(shared)) if shared else {}
    entries.update((name, tuple(entry)) for name, entry in packed.items())
    return entries


def referred(registry: Registry, mutations: Iterable[Mutation]) -> set[str]:
    """The ids of the records that the mutations touch or refer to."""
    ids: set[str] = set()
    for mutation in mutations:
        ids.add(mutation.record)
        ids.update(names_kept(mutation))
        kind = registry.get(mutation.kind)
        if kind is not None and not mutation.malformed:
            for name in kind.references:
                ids.update(ids_in(mutation.set.get(name)))
    return ids


def load(
    rows: Rows,
    registry: Registry,
    mutations: Sequence[Mutation],
    *,
    sender: Principal,
    woken: bool = True,
    before: Loaded | None = None,
) -> Loaded:
    """What is known of the mutations, their records, references and parents; records locked.

    ``woken``: and what waits for them. ``before``: what was loaded for the same batch without the
    writer's lock; what is in a row that has not changed is not read again.
    """
    # P2: two pushes of one user never decide the same mutation at once.
    lock = "" if rows.sqlite else ", pg_advisory_xact_lock(hashtextextended(?, 0))"
    [first] = rows.select(
        f"SELECT name, number{lock} FROM epoch ORDER BY number DESC LIMIT 1",
        *([sender.user] if lock else []),
    )
    loaded = Loaded(epoch=first[0], epoch_number=first[1])
    loaded.read |= before.read if before else {}
    _load_known(rows, loaded, mutations, device=sender.device)
    loaded.waiting = chain_waiting_for(rows, mutations) if woken else []
    loaded.known |= {one.stored.id: one.stored for one in loaded.waiting}
    concerned = [*mutations, *(one.mutation for one in loaded.waiting)]
    wanted_records = referred(registry, concerned)
    load_heads(rows, loaded, wanted_records)
    read = _read_by_rules(registry, loaded, concerned) - set(loaded.heads)
    if read:
        load_heads(rows, loaded, read)
    load_claims(rows, registry, loaded, concerned)
    loaded.past = past_data(rows, loaded, concerned)
    loaded.making = frozenset(_making(loaded, mutations))
    missing = wanted_records - set(loaded.heads)
    # What waits may be another person's, whose create of such a record stays refused.
    asked = missing if loaded.waiting else missing - loaded.making
    loaded.refused = refused_creates(rows, asked)
    if sender.device is not None:
        load_moved(rows, loaded, sender, device=sender.device)
    return loaded


def _making(loaded: Loaded, mutations: Iterable[Mutation]) -> Iterator[str]:
    """P8: a create that was refused before is sent again in vain."""
    for one in mutations:
        known = loaded.known.get(one.id)
        if one.action == "create" and (known is None or not known.outcome.is_final):
            yield one.record


def past_data(
    rows: Rows, loaded: Loaded, mutations: Iterable[Mutation]
) -> dict[tuple[str, int], Data]:
    """(record, version) → its data then, of the versions that the mutations bring back (P6)."""
    named = {(one.record, (one.restores or {}).get("version")) for one in mutations}
    past: dict[tuple[str, int], Data] = {}
    for record, version in named:
        head = loaded.heads.get(record)
        if version is not None and head is not None:
            found = rows.select(
                "SELECT version, changed FROM record_version"
                " WHERE record = ? AND version <= ? ORDER BY version",
                head.key,
                version,
            )
            past[record, version] = told_data(_news(*row) for row in found)
    return past


def _news(version: int, changed: str) -> Data:
    """Field → its value from this version on."""
    told: Data = orjson.loads(changed)
    return told if version == 1 else {name: new for name, (_old, new) in told.items()}


def _read_by_rules(registry: Registry, loaded: Loaded, mutations: Iterable[Mutation]) -> set[str]:
    """The records that rules look into because the records of the batch name them already."""
    heads = [loaded.heads[one.record] for one in mutations if one.record in loaded.heads]
    kinds = {head.kind: registry.get(head.kind) for head in heads}
    return {
        record
        for head in heads
        if (kind := kinds[head.kind]) is not None
        for name in kind.reads
        for record in ids_in(head.fields.get(name))
    }


def load_claims(
    rows: Rows, registry: Registry, loaded: Loaded, mutations: Iterable[Mutation]
) -> None:
    """The holders of all claim keys that the mutations may take, find taken or leave (K2), and
    the numbers of what they make (X1): of each its first one that no other record has."""
    keys = set(_claim_keys(registry, loaded, mutations))
    unnamed = _numbered(registry, loaded, mutations)
    given: set[str] = set()
    for attempt in count():
        tried = {record: say(record, attempt) for record, say in unnamed.items()}
        _hold_claims(rows, loaded, keys.union(map(number_key, tried.values())))
        for record, number in tried.items():
            if number not in given and loaded.claims[number_key(number)].record in {"", record}:
                given.add(number)
                loaded.numbers[record] = number
                del unnamed[record]
        if not unnamed:
            return
        keys = set()


def _numbered(
    registry: Registry, loaded: Loaded, mutations: Iterable[Mutation]
) -> dict[str, Callable[[str, int], str]]:
    """The new records whose kind numbers them, with how."""
    made = {
        one.record: kind.numbered
        for one in mutations
        if one.action == "create" and (kind := registry.get(one.kind)) is not None
    }
    return {
        record: say
        for record, say in made.items()
        if say is not None and record not in loaded.heads
    }


def _hold_claims(rows: Rows, loaded: Loaded, keys: Iterable[str]) -> None:
    """Adds the holders of these keys.

    The rows are made where there are none, and locked in the order of their keys, so that of two
    pushes which name the same one the second waits for the first.
    """
    wanted = sorted(keys)
    if not wanted:
        return
    rows.insert(CLAIM, ("digest", "record"), [(key, "") for key in wanted], skip_known=True)
    lock = "" if rows.sqlite else " ORDER BY claim.digest FOR UPDATE OF claim"
    found = rows.select(
        "SELECT claim.digest, claim.record, claim.captured, record.region, record.state FROM claim"
        f" LEFT JOIN record ON record.id = claim.record WHERE {rows.among('claim.digest')}{lock}",
        rows.listed(wanted),
    )
    for digest, record, captured, region, state in found:
        holder = Holder(record=record, captured=captured, region=region, live=state == LIVE)
        loaded.claims[digest] = holder


def _claim_keys(registry: Registry, loaded: Loaded, mutations: Iterable[Mutation]) -> Iterator[str]:
    """Keys of the records as they stand, and as each mutation in turn would leave them."""
    data: dict[str, Data] = {}
    for mutation in mutations:
        kind = registry.get(mutation.kind)
        if kind is None or not kind.claims or mutation.malformed:
            continue
        head = loaded.heads.get(mutation.record)
        before = data.get(mutation.record) or (head.fields if head else {})
        data[mutation.record] = {**before, **mutation.set}
        yield from claims_of(kind, before)
        yield from claims_of(kind, data[mutation.record])


def load_moved(rows: Rows, loaded: Loaded, sender: Principal, *, device: str) -> None:
    """Finds the records out of the device's sight that were in a scope it held (server times).

    A record was there if it left one of the scopes that the device has or had, if it is in a scope
    that the device lost after the record came into being, or if its user made it.
    """
    hidden = {
        head.key: head
        for head in loaded.heads.values()
        if not head.placement.scopes & sender.scopes and head.key is not None
    }
    if not hidden:
        return
    given = rows.select("SELECT scope, lost_at FROM device_scope WHERE device = ?", device)
    lost_at: dict[str, str | None] = dict(given)
    held = sender.scopes | set(lost_at)
    left = rows.select(
        "SELECT feed.record, scope.name FROM feed JOIN scope ON scope.key = feed.scope"
        f" WHERE {rows.among('feed.record')} AND feed.item = {LEAVE}",
        rows.listed(sorted(hidden)),
    )
    moved = {hidden[key].id for key, scope in left if scope in held}
    moved |= {head.id for head in hidden.values() if head.creator == sender.user}
    gone: set[str] = set()
    for head in hidden.values():
        for scope in head.placement.scopes & set(lost_at):
            end = lost_at[scope]
            if end is None:  # the role is gone, and no pull has said so yet
                moved.add(head.id)
            elif head.created_at < end:
                gone.add(head.id)
    loaded.moved = frozenset(moved | gone)
    told = rows.select(
        f"SELECT record FROM device_loss WHERE device = ? AND {rows.among('record')}",
        device,
        rows.listed(sorted(moved)),
    )
    loaded.lost = frozenset(row[0] for row in told) | gone


def refused_creates(rows: Rows, records: Iterable[str]) -> dict[tuple[str, str], str]:
    """(user, record) → the create that was refused, of records that are not there."""
    missing = sorted(records)
    if not missing:
        return {}
    found = rows.select(
        'SELECT unapplied."user", unapplied.record, mutation.id FROM unapplied'
        " JOIN mutation ON mutation.key = unapplied.mutation"
        f" WHERE {rows.among('unapplied.record')} AND mutation.outcome = 'rejected'"
        " AND unapplied.creates ORDER BY mutation.key",
        rows.listed(missing),
    )
    return {(user, record): mutation for user, record, mutation in found}


def _load_known(
    rows: Rows, loaded: Loaded, mutations: Sequence[Mutation], *, device: str | None
) -> None:
    """What is known under these ids, who stands at their places (device, n), and before them."""
    places = {one.n for one in mutations if one.device and one.n}
    places |= {n - 1 for n in places}
    ids = {one.id for one in mutations} | {one.after for one in mutations if one.after}
    found = rows.select(
        f"SELECT {MUTATION_COLUMNS}, device, n FROM mutation WHERE {rows.among('id')}"
        f" OR ({rows.among('device')} AND {rows.among('n')})",
        rows.listed(sorted(ids)),
        rows.listed(sorted({one.device for one in mutations if one.device and one.n})),
        rows.listed(sorted(places)),
    )
    for row in found:
        if row[12] == device and row[4] is not None:
            loaded.chain[row[13]] = loaded.chain.get(row[13], frozenset()) | {row[4]}
    in_order = sorted(found, reverse=True)  # of several at one place, the first to come stands
    taken: dict[tuple[str, int], str] = {(row[12], row[13]): row[1] for row in in_order}
    loaded.known = {row[1]: _stored_mutation(row) for row in found if row[1] in ids}
    forked: set[str] = set()
    for one in mutations:
        if one.device and one.n and taken.setdefault((one.device, one.n), one.id) != one.id:
            forked.add(one.id)
    loaded.forked = frozenset(forked)


def known_mutations(rows: Rows, ids: Iterable[str]) -> dict[str, StoredMutation]:
    """Mutations of these ids that the store has, whoever sent them."""
    found = rows.select(
        f"SELECT {MUTATION_COLUMNS} FROM mutation WHERE {rows.among('id')}",
        rows.listed(sorted(ids)),
    )
    return {row[1]: _stored_mutation(row) for row in found}


def _stored_mutation(row: Row) -> StoredMutation:
    told = orjson.loads(row[9])
    outcome = Outcome(
        name=row[6],
        code=row[7],
        version=row[8],
        fields=tuple(told.get("fields", ())),
        conflicts=tuple(told.get("conflicts", ())),
        flags=tuple(told.get("flags", ())),
        fields_wrong=told.get("wrong", {}),
        waits_for=tuple(told.get("for", ())),
        cause=told.get("cause"),
    )
    return StoredMutation(
        key=row[0],
        id=row[1],
        user=row[2],
        content=row[3],
        digest=row[4],
        epoch=row[5],
        outcome=outcome,
        received_at=row[10],
        forked=bool(row[11]),
    )


MOST_WOKEN = 500
"""Waiting mutations decided with one batch; the rest comes with the next sweep."""


DEEPEST_CHAIN = 8
"""How far one batch follows what waits for what waits; the rest comes with the next sweep."""


def chain_waiting_for(rows: Rows, mutations: Iterable[Mutation]) -> list[Waiting]:
    """What waits for ``mutations``, what waits for that, and so on."""
    found: dict[str, Waiting] = {}
    asked: set[str] = set()
    news = list(mutations)
    for _round in range(DEEPEST_CHAIN):
        names = awaitable(news) - asked
        asked |= names
        fresh = [one for one in waiting_for(rows, names) if one.stored.id not in found]
        if not fresh or len(found) + len(fresh) > MOST_WOKEN:
            break
        found |= {one.stored.id: one for one in fresh}
        news = [one.mutation for one in fresh]
    return list(found.values())


def waiting_for(rows: Rows, awaited: Iterable[str]) -> list[Waiting]:
    """The mutations that wait for one of ``awaited``, the oldest first."""
    columns = ", ".join(f"mutation.{name.strip()}" for name in MUTATION_COLUMNS.split(","))
    found = rows.select(
        f"SELECT {columns}, device, body, writer FROM mutation WHERE key IN"
        f" (SELECT mutation FROM awaited WHERE {rows.among('awaited')} LIMIT {MOST_WOKEN})"
        " ORDER BY key",
        rows.listed(sorted(awaited)),
    )
    return [_waiting(row) for row in found]


def _waiting(row: Row) -> Waiting:
    stored, device = _stored_mutation(row), row[12]
    mutation = read_mutation(orjson.loads(row[13]), user=stored.user, device=device)
    mutation = replace(mutation, forked=stored.forked)
    return Waiting(mutation=mutation, stored=stored, writer=row[14])


def awaitable(mutations: Iterable[Mutation]) -> set[str]:
    """What may arrive with these mutations: their records, themselves, their groups."""
    names: set[str] = set()
    for mutation in mutations:
        names |= {mutation.id, mutation.record}
        if mutation.group is not None:
            names.add(f"group:{mutation.group.id}")
    return names


def load_heads(rows: Rows, loaded: Loaded, ids: Iterable[str]) -> None:
    """Adds the records of these ids and their parents, locked in the order of their ids."""
    listed = rows.listed(sorted(ids))
    among = rows.among("id")
    lock = "" if rows.sqlite else " ORDER BY id FOR UPDATE"
    found = rows.select(
        # A union, for with OR either database reads the whole table.
        f"SELECT {HEAD_COLUMNS} FROM record WHERE key IN (SELECT key FROM record WHERE {among}"
        f" UNION SELECT parent FROM record WHERE {among}){lock}",
        listed,
        listed,
    )
    names = {row[0]: row[1] for row in found}
    for row in found:
        head = _head_of(loaded, row, names)
        loaded.heads[head.id] = head
        loaded.hashes[head.id] = row[10]


def _head_of(loaded: Loaded, row: Row, names: Mapping[int, str]) -> Head:
    """The head in ``row``, which may have been read already."""
    known, head = loaded.read.get(row[0], (None, None))
    if head is None or known != row or head.parent != names.get(row[5]):
        head = read_head(row, names)
        loaded.read[row[0]] = row, head
    return head


def load_below(rows: Rows, loaded: Loaded, parents: Iterable[int]) -> None:
    """Adds every record beneath these (keys), locked, as they move with them."""
    lock = "" if rows.sqlite else " ORDER BY id FOR UPDATE"
    found = rows.select(
        "WITH RECURSIVE below(key) AS ("
        f"SELECT key FROM record WHERE {rows.among('parent')}"
        " UNION SELECT record.key FROM record JOIN below ON record.parent = below.key)"
        f" SELECT {HEAD_COLUMNS} FROM record WHERE key IN (SELECT key FROM below){lock}",
        rows.listed(sorted(parents)),
    )
    names = {row[0]: row[1] for row in found}
    names |= {head.key: head.id for head in loaded.heads.values() if head.key}
    for row in found:
        if row[1] not in loaded.heads:
            loaded.heads[row[1]] = read_head(row, names)
            loaded.hashes[row[1]] = row[10]


def read_head(row: Row, names: Mapping[int, str]) -> Head:
    """A head from its row; ``names`` gives the ids of parents by key."""
    fields = orjson.loads(row[9])
    return Head(
        key=row[0],
        id=row[1],
        kind=row[2],
        version=row[3],
        state=row[4],
        parent=names.get(row[5]) if row[5] else None,
        creator=row[6],
        placement=Placement(scopes=frozenset(orjson.loads(row[8])), region=row[7]),
        fields=fields,
        versions=unpack_versions(row[11], fields),
        created_at=row[12],
        aged=bool(row[13]),
    )
