"""Writes what a batch decided: a handful of statements for any number of mutations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from server.proof.encoding import canonical, record_hash
from server.proof.seal import Verdict
from server.rows import Row, Rows, as_table
from server.sync import feed
from server.sync.batch import LIVE, Head, Holder, Sender, Written
from server.sync.feed import FeedRow, ScopeSum, record_digest
from server.sync.kinds import Registry
from server.sync.load import Loaded, load_below
from server.sync.merge import ABSENT, FieldVersion
from server.sync.moves import follow, movers
from server.sync.tables import (
    LEAVE,
    PUT,
    WITHDRAWAL,
    Awaited,
    Claim,
    MutationRow,
    Record,
    RecordVersion,
    ReusedMutation,
    Scope,
    Unapplied,
)
from server.sync.wire import Mutation, Outcome
from server.values import Value

MUTATION, RECORD, VERSION = as_table(MutationRow), as_table(Record), as_table(RecordVersion)
SCOPE, AWAITED, UNAPPLIED = as_table(Scope), as_table(Awaited), as_table(Unapplied)
REUSED, CLAIM = as_table(ReusedMutation), as_table(Claim)


class Decided(Value, frozen=True):
    """One mutation of the batch, to be written; ``key`` is that of its row if it was waiting."""

    mutation: Mutation
    outcome: Outcome
    verdict: Verdict
    writes: tuple[Written, ...]
    derived: bool
    claims: tuple[tuple[str, Holder], ...]
    user: str
    writer: Sender
    key: int | None = None


def pack_versions(head: Head) -> str:
    """``field_versions`` as JSON; what most fields share stands once, under ``*``."""
    entries = head.versions
    shared = _most_common(list(entries.values()))
    packed: dict[str, Any] = {
        name: entry for name, entry in entries.items() if entry != shared or name not in head.fields
    }
    if shared:
        packed["*"] = shared
    return canonical(packed).decode()


def _most_common(stamps: Sequence[FieldVersion]) -> FieldVersion | None:
    if not stamps:
        return None
    if stamps.count(stamps[0]) == len(stamps):  # so it is with everything new
        return stamps[0]
    return Counter(stamps).most_common(1)[0][0]


@dataclass(slots=True, kw_only=True)
class Writing:
    """One batch on its way to the tables."""

    rows: Rows
    loaded: Loaded
    registry: Registry
    user: str
    at: str
    moved: dict[str, Head] = field(default_factory=dict)
    """Records that are in another place now, with or without a new version."""
    keys: dict[str, int] = field(default_factory=dict)
    """Integer keys of records by id."""
    texts: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)

    def text_of(self, head: Head) -> tuple[str, str]:
        """``data`` of this version as canonical JSON, and its hash."""
        text = self.texts.get((head.id, head.version))
        if text is None:
            data = canonical(head.fields)
            text = self.texts[head.id, head.version] = (data.decode(), record_hash(data))
        return text


def keep_reused(writing: Writing, mutations: Sequence[Mutation]) -> None:
    """P6: keeps other content that came under known ids; a repeated one is there already."""
    columns = ("id", "content", "user", "device", "body", "received_at")
    kept = [(m.id, m.content, writing.user, m.device, m.body, writing.at) for m in mutations]
    writing.rows.insert(REUSED, columns, kept, skip_known=True)


def write(writing: Writing, decided: Sequence[Decided]) -> None:
    """Writes every outcome and every effect of a batch. The caller commits.

    What it must read comes first, so that nothing that is written has to be waited for.
    """
    finals: dict[str, Head] = {}
    for item in decided:
        finals.update((written.head.id, written.head) for written in item.writes)
    fresh = [item for item in decided if item.key is None]
    new = [head for head in finals.values() if head.key is None]
    fresh_keys, new_keys = writing.rows.next_keys({MUTATION: len(fresh), RECORD: len(new)})
    _take_along(writing, finals)
    sums = _sums(writing, finals)
    mutation_keys = _write_mutations(writing, decided, fresh_keys)
    _write_heads(writing, finals, new_keys)
    _write_versions(writing, decided, mutation_keys)
    _write_feed(writing, finals, sums)
    taken = {digest: holder for item in decided for digest, holder in item.claims}
    held = [(digest, holder.record, holder.captured) for digest, holder in taken.items()]
    writing.rows.update(CLAIM, ("digest", "record", "captured"), held)


def _write_mutations(
    writing: Writing, decided: Sequence[Decided], fresh_keys: Sequence[int]
) -> Mapping[str, int]:
    rows = writing.rows
    fresh = [item for item in decided if item.key is None]
    again = [item for item in decided if item.key is not None]
    keys = {item.mutation.id: item.key for item in again if item.key is not None}
    keys |= {item.mutation.id: key for item, key in zip(fresh, fresh_keys, strict=True)}
    rows.insert(MUTATION, FRESH_COLUMNS, [_mutation_row(writing, item, keys) for item in fresh])
    told = [
        (
            item.key,
            item.outcome.name,
            item.outcome.code,
            item.outcome.version,
            told_of(item.outcome),
        )
        for item in again
    ]
    rows.update(MUTATION, ("key", "outcome", "code", "version", "result"), told)
    waited = [(item.key,) for item in again]
    rows.delete(AWAITED, ("mutation",), waited)
    rows.delete(UNAPPLIED, ("mutation",), waited)
    _write_unapplied(rows, decided, keys)
    return keys


def _take_along(writing: Writing, finals: dict[str, Head]) -> None:
    """Adds to ``finals`` what moves with its parent."""
    writing.moved = movers(finals, writing.loaded.heads)
    leaving = [head.key for head in writing.moved.values() if head.key is not None]
    if leaving:
        load_below(writing.rows, writing.loaded, leaving)
    # P5: what the batch makes and moves has children in the batch alone.
    if leaving or any(head.key is None and head.version > 1 for head in finals.values()):
        followers = follow(writing.registry, finals, writing.loaded.heads)
        writing.moved |= followers
        finals |= followers


FRESH_COLUMNS = (
    "key", "id", "writer", "user", "device", "n", "body", "content", "prev", "sig", "digest",
    "seal", "forked", "epoch", "outcome", "code", "version", "result", "received_at",
)  # fmt: skip


def _mutation_row(writing: Writing, item: Decided, keys: Mapping[str, int]) -> Row:
    mutation, outcome = item.mutation, item.outcome
    seal = mutation.seal
    return (
        keys[mutation.id],
        mutation.id,
        item.writer,
        item.user,
        mutation.device,
        mutation.n,
        mutation.body,
        mutation.content,
        seal.prev if seal else None,
        seal.sig if seal else None,
        mutation.digest,
        item.verdict,
        mutation.forked,
        writing.loaded.epoch,
        outcome.name,
        outcome.code,
        outcome.version,
        told_of(outcome),
        writing.at,
    )


def told_of(outcome: Outcome) -> str:
    """What else an outcome says, as JSON, so that a replay repeats it (P2)."""
    if outcome == Outcome(name="applied", version=outcome.version):
        return "{}"
    told = {
        "fields": outcome.fields,
        "conflicts": outcome.conflicts,
        "flags": outcome.flags,
        "wrong": outcome.fields_wrong,
        "for": outcome.waits_for,
        "cause": outcome.cause,
    }
    return canonical({name: value for name, value in told.items() if value}).decode()


def _write_unapplied(rows: Rows, decided: Sequence[Decided], keys: Mapping[str, int]) -> None:
    kept = [item for item in decided if item.outcome.name in {"waiting", "rejected"}]
    rows.insert(
        UNAPPLIED,
        ("mutation", "record", "user", "creates"),
        [
            (
                keys[item.mutation.id],
                item.mutation.record,
                item.user,
                item.mutation.action == "create",
            )
            for item in kept
        ],
    )
    awaited = {
        (name, keys[item.mutation.id], "") for item in kept for name in item.outcome.waits_for
    }
    rows.insert(AWAITED, ("awaited", "mutation", "looked_at"), sorted(awaited))


RECORD_COLUMNS = (
    "key", "version", "state", "region", "scopes", "data", "hash", "field_versions", "updated_at",
    "aged",
)  # fmt: skip
NEW_COLUMNS = (*RECORD_COLUMNS, "id", "kind", "parent", "creator", "created_at")


def _write_heads(writing: Writing, finals: Mapping[str, Head], fresh_keys: Sequence[int]) -> None:
    new = [head for head in finals.values() if head.key is None]
    writing.keys = {head.id: head.key for head in writing.loaded.heads.values() if head.key}
    writing.keys |= {head.id: key for head, key in zip(new, fresh_keys, strict=True)}
    changed = [head for head in finals.values() if head.key is not None]
    writing.rows.update(RECORD, RECORD_COLUMNS, [_record_row(writing, head) for head in changed])
    added = [(*_record_row(writing, head), *_birth(writing, head)) for head in new]
    writing.rows.insert(RECORD, NEW_COLUMNS, added)


def _record_row(writing: Writing, head: Head) -> Row:
    return (
        writing.keys[head.id],
        head.version,
        head.state,
        head.placement.region,
        _listed(head.placement.scopes),
        *writing.text_of(head),
        pack_versions(head),
        writing.at,
        head.aged,
    )


@lru_cache(maxsize=1024)
def _listed(scopes: frozenset[str]) -> str:
    """``scopes`` as JSON; the records of a push are in the same few."""
    return canonical(sorted(scopes)).decode()


def _birth(writing: Writing, head: Head) -> Row:
    parent = writing.keys[head.parent] if head.parent else None
    return (head.id, head.kind, parent, head.creator, writing.at)


def _write_versions(
    writing: Writing, decided: Sequence[Decided], mutation_keys: Mapping[str, int]
) -> None:
    columns = (
        "record", "version", "mutation", "user", "device", "writer", "epoch", "state", "changed",
        "at",
    )  # fmt: skip
    history = [
        (
            writing.keys[written.head.id],
            written.head.version,
            mutation_keys[item.mutation.id],
            item.user,
            item.mutation.device,
            item.writer,
            writing.loaded.epoch_number,
            written.head.state,
            _changed_text(writing, written),
            writing.at,
        )
        for item in decided
        for written in item.writes
    ]
    writing.rows.insert(VERSION, columns, history)


def _changed_text(writing: Writing, written: Written) -> str:
    if written.head.version == 1:
        return writing.text_of(written.head)[0]
    pairs = {
        name: [None if value is ABSENT else value for value in pair]
        for name, pair in written.changed.items()
    }
    return canonical(pairs).decode()


def _sums(writing: Writing, finals: Mapping[str, Head]) -> dict[str, ScopeSum]:
    """The scopes that the records are in, were in, or both."""
    names = {scope for head in finals.values() for scope in head.placement.scopes}
    before = writing.loaded.heads
    names |= {s for id_ in finals if id_ in before for s in before[id_].placement.scopes}
    return scope_sums(writing.rows, names)


def _write_feed(writing: Writing, finals: Mapping[str, Head], sums: Mapping[str, ScopeSum]) -> None:
    before = writing.loaded.heads
    scopes = {name: one.key for name, one in sums.items()}
    puts: list[FeedRow] = []
    leaves: list[FeedRow] = []
    replaced: list[FeedRow] = []
    for head in finals.values():
        if head.aged:  # it moves unseen
            continue
        puts += _puts(writing, head, scopes)
        old = before.get(head.id)
        if old is not None:
            replaced += _replaced(writing, old, head, scopes)
            leaves += _leaves(writing, old, head, scopes)
    feed.append(writing.rows, puts + leaves, replaced, sums.values())


def _puts(writing: Writing, head: Head, scopes: Mapping[str, int]) -> list[FeedRow]:
    key, live = writing.keys[head.id], head.state == LIVE
    digest = record_digest(head.id, head.version, writing.text_of(head)[1]) if live else 0
    item = PUT if live else WITHDRAWAL
    return [
        FeedRow(scopes[scope], key, item, head.version, digest)
        for scope in sorted(head.placement.scopes)
    ]


def _leaves(writing: Writing, old: Head, head: Head, scopes: Mapping[str, int]) -> list[FeedRow]:
    left = sorted(old.placement.scopes - head.placement.scopes)
    key = writing.keys[head.id]
    return [FeedRow(scopes[scope], key, LEAVE, head.version, 0) for scope in left]


def _replaced(writing: Writing, old: Head, head: Head, scopes: Mapping[str, int]) -> list[FeedRow]:
    """The feed rows that the new ones replace, as they were counted."""
    key, live = writing.keys[old.id], old.state == LIVE
    digest = record_digest(old.id, old.version, writing.loaded.hashes[old.id]) if live else 0
    was_in = frozenset() if old.aged else old.placement.scopes
    return [
        FeedRow(
            scopes[scope],
            key,
            (PUT if live else WITHDRAWAL) if scope in was_in else LEAVE,
            old.version,
            digest if scope in was_in else 0,
        )
        for scope in sorted(old.placement.scopes | head.placement.scopes)
    ]


def scope_sums(rows: Rows, names: Iterable[str]) -> dict[str, ScopeSum]:
    """The scopes by name; those that nothing was in yet are made."""
    wanted = sorted(names)
    known = find_scopes(rows, wanted)
    missing = [(name, 0, 0, 0) for name in wanted if name not in known]
    if missing:
        columns = ("name", "last_seq", "records", "digest")
        rows.insert(SCOPE, columns, missing, skip_known=True)
        known = find_scopes(rows, wanted)
    return known


def find_scopes(rows: Rows, names: Sequence[str]) -> dict[str, ScopeSum]:
    """The scopes of these names that there are."""
    found = rows.select(
        f"SELECT name, key, records, digest FROM scope WHERE {rows.among('name')}",
        rows.listed(names),
    )
    return {row[0]: ScopeSum(*row[1:]) for row in found}
