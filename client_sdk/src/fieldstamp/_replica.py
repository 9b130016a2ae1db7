"""The device's copy of what the server holds, with own unsettled edits laid over it when read.

A pull changes the server's copy and never a pending mutation. Nothing here speaks HTTP.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from fieldstamp import _kinds, _wire
from fieldstamp._pages import Item, Page, SnapshotPage
from fieldstamp._store import Row, Transaction
from fieldstamp._values import Record

_RECORD = "SELECT id, kind, version, epoch, data, withdrawn FROM record"
_LAID = "SELECT record, action, kind, body FROM mutation WHERE laid = 1"


def find(transaction: Transaction, record: str) -> Record | None:
    """The record as this device sees it, or None."""
    row = transaction.one(f"{_RECORD} WHERE id = ?", record)
    laid = transaction.rows(f"{_LAID} AND record = ? ORDER BY n", record)
    return None if row is None and not laid else _overlaid(record, row, laid)


def laid_over(transaction: Transaction, record: str) -> list[Mapping[str, Any]]:
    """What own changes set that the server's copy of the record does not hold yet, in order."""
    laid = transaction.rows(f"{_LAID} AND record = ? ORDER BY n", record)
    return [json.loads(body).get("set", {}) for _, _, _, body in laid]


def of_kind(transaction: Transaction, kind: str) -> list[Record]:
    """All records of a kind, oldest id first."""
    rows = {row[0]: row for row in transaction.rows(f"{_RECORD} WHERE kind = ?", kind)}
    laid: dict[str, list[Row]] = {}
    for entry in transaction.rows(f"{_LAID} AND kind = ? ORDER BY n", kind):
        laid.setdefault(entry[0], []).append(entry)
    ids = sorted(rows.keys() | laid.keys())
    return [_overlaid(record, rows.get(record), laid.get(record, ())) for record in ids]


def _overlaid(record: str, row: Row | None, laid: Iterable[Row]) -> Record:
    data: dict[str, Any] = json.loads(row[4]) if row else {}
    kind, withdrawn = (row[1], bool(row[5])) if row else ("", False)
    pending = created = False
    for _, action, kind_named, body in laid:
        pending, kind = True, kind or kind_named
        created = created or action == "create"
        withdrawn = withdrawn or action == "withdraw"
        change = json.loads(body)
        data |= change.get("set", {})
        for name in change.get("unset", ()):
            data.pop(name, None)
    return Record(
        id=record,
        kind=kind,
        data=data,
        version=row[2] if row else 0,
        epoch=row[3] if row else None,
        withdrawn=withdrawn,
        pending=pending,
        held=row is not None or created,
    )


def apply_page(transaction: Transaction, page: Page) -> int:
    """Applies a page and keeps its cursor; returns how many items it had.

    P4: items and cursor are one transaction, so a page is applied whole or asked for again.
    """
    for event, scope in page.events:
        if event == "scope_leave":
            _leave_scope(transaction, scope)
    put = partial(_put, transaction, epoch=page.epoch, newest=generation(transaction))
    for item in page.items:
        if item.item == "leave":
            _leave(transaction, item.record, item.scope)
        else:
            put(item)
    transaction.keep("cursor", page.cursor)
    return len(page.items)


def begin_snapshot(transaction: Transaction) -> None:
    """From now on everything comes again; what has not come by the end is removed then."""
    transaction.keep("generation", generation(transaction) + 1)
    transaction.keep("snapshot", {"page": None})
    transaction.keep("cursor", None)
    transaction.keep("synced", False)


def apply_snapshot(transaction: Transaction, page: SnapshotPage) -> None:
    """Marks and replaces; with the last page sweeps what is not marked and goes on from there."""
    newest = generation(transaction)
    for item in page.items:
        _put(transaction, item, epoch=page.epoch, newest=newest, whatever_version=True)
    if page.page is not None:
        transaction.keep("snapshot", {"page": page.page})
        return
    _sweep(transaction)
    transaction.keep("snapshot", None)
    transaction.keep("cursor", page.cursor)


def _sweep(transaction: Transaction) -> None:
    stale = "SELECT id FROM record WHERE generation < ?"
    for (record,) in transaction.rows(stale, generation(transaction)):
        transaction.run("DELETE FROM pair WHERE record = ?", record)
        _remove(transaction, record)


def generation(transaction: Transaction) -> int:
    """The number of the newest snapshot; rows that it brought or kept carry it."""
    return int(transaction.value("generation") or 0)


def repair_buckets(
    transaction: Transaction,
    scope: str,
    buckets: Collection[str],
    items: Sequence[Item],
    *,
    epoch: str,
) -> None:
    """P7: makes the buckets of a scope what the server says they are."""
    named = {item.record for item in items}
    newest = generation(transaction)
    for item in items:
        _put(transaction, item, epoch=epoch, newest=newest, whatever_version=True)
    for (record,) in transaction.rows("SELECT record FROM pair WHERE scope = ?", scope):
        if _bucket(record) in buckets and record not in named:
            _leave(transaction, record, scope)


def remove_unplaced(transaction: Transaction) -> None:
    """P5: takes away what only the answer to a push brought, once all that is held was told.

    Its scope was lost before a pull could say that it belongs there.
    """
    unplaced = "SELECT id FROM record WHERE id NOT IN (SELECT record FROM pair)"
    for (record,) in transaction.rows(unplaced):
        _remove(transaction, record)


def _put(
    transaction: Transaction,
    item: Item,
    *,
    epoch: str,
    newest: int,
    whatever_version: bool = False,
) -> None:
    """(record, scope) pairs follow every item; only ``data`` obeys the version."""
    transaction.run("DELETE FROM pair WHERE record = ?", item.record)
    if not item.scopes:
        _remove(transaction, item.record)
        return
    transaction.run_many(
        "INSERT OR IGNORE INTO pair (record, scope) VALUES (?, ?)",
        [(item.record, scope) for scope in item.scopes],
    )
    gone = item.item == "withdrawn"
    write_copy(
        transaction,
        record=item.record,
        kind=item.kind,
        version=item.version,
        epoch=epoch,
        data=None if gone else _wire.dump(item.data).decode(),
        newest=newest,
        whatever_version=whatever_version,
    )
    transaction.run(
        "UPDATE record SET fed_version = ?, fed_hash = ?, generation = ? WHERE id = ?",
        item.version,
        None if gone else item.hash,
        newest,
        item.record,
    )


def write_copy(
    transaction: Transaction,
    *,
    record: str,
    kind: str,
    version: int,
    epoch: str,
    data: str | None,
    newest: int | None = None,
    whatever_version: bool = False,
) -> None:
    """Takes the server's copy of a record where it is newer; ``data`` None: it was withdrawn.

    P1: versions compare only within an epoch; a copy of another epoch gives way. The data of a
    withdrawn record may have come before with an outcome, under the version of the withdrawal.
    It marks no row for a snapshot that is under way, which alone says what is live; ``newest`` is
    its number, where the caller has it.
    """
    transaction.run(
        "INSERT INTO record (id, kind, version, epoch, data, withdrawn, generation)"
        " VALUES (?1, ?2, ?3, ?4, coalesce(?5, '{}'), ?5 IS NULL, ?7)"
        " ON CONFLICT (id) DO UPDATE SET version = ?3, epoch = ?4, withdrawn = ?5 IS NULL,"
        " data = coalesce(?5, data)"
        " WHERE ?6 OR ?3 > version OR (?3 = version AND ?5 IS NULL) OR ?4 <> epoch",
        record,
        kind,
        version,
        epoch,
        data,
        whatever_version,
        (generation(transaction) if newest is None else newest) - 1,
    )
    uncover(transaction, record, epoch=epoch)


def uncover(transaction: Transaction, record: str, *, epoch: str) -> None:
    """Takes off the own edits whose version, or a newer one, is here.

    P1: what was settled, was so in this epoch; a copy of another one says nothing of it.
    """
    transaction.run(
        "UPDATE mutation SET laid = 0 WHERE laid = 1 AND record = ?1"
        " AND state IN ('applied', 'merged')"
        " AND version <= (SELECT version FROM record WHERE id = ?1 AND epoch = ?2)",
        record,
        epoch,
    )


def _leave(transaction: Transaction, record: str, scope: str) -> None:
    transaction.run("DELETE FROM pair WHERE record = ? AND scope = ?", record, scope)
    if transaction.one("SELECT 1 FROM pair WHERE record = ?", record) is None:
        _remove(transaction, record)


def _leave_scope(transaction: Transaction, scope: str) -> None:
    for (record,) in transaction.rows("SELECT record FROM pair WHERE scope = ?", scope):
        _leave(transaction, record, scope)


def _remove(transaction: Transaction, record: str) -> None:
    """P5: the copy goes; own unsent mutations stay readable and are still sent (P6)."""
    transaction.run("DELETE FROM record WHERE id = ?", record)
    transaction.run(
        "UPDATE mutation SET laid = 0 WHERE laid = 1 AND record = ?"
        " AND state IN ('applied', 'merged')",
        record,
    )


def erase(transaction: Transaction) -> None:
    """Removes every copy of the server's records; own mutations and photos stay (P6)."""
    transaction.run("DELETE FROM pair")
    transaction.run("DELETE FROM record")
    transaction.run("UPDATE mutation SET laid = 0 WHERE state IN ('applied', 'merged')")
    transaction.keep("cursor", None)
    transaction.keep("snapshot", None)


def mismatches(transaction: Transaction, digest: Iterable[tuple[str, int, str]]) -> list[str]:
    """P7: the scopes of which this device holds something else than the server says."""
    return [scope for scope, count, total in digest if _held(transaction, scope) != (count, total)]


def _held(transaction: Transaction, scope: str) -> tuple[int, str]:
    return _wire.scope_sum(_members(transaction, scope))


def held_buckets(transaction: Transaction, scope: str) -> dict[str, tuple[int, str]]:
    """Count and sum of what this device holds of a scope, by the last byte of the id."""
    buckets: dict[str, list[Row]] = {}
    for member in _members(transaction, scope):
        buckets.setdefault(_bucket(member[0]), []).append(member)
    return {bucket: _wire.scope_sum(members) for bucket, members in buckets.items()}


def _bucket(record: str) -> str:
    return record[-2:]


def _members(transaction: Transaction, scope: str) -> list[Row]:
    return transaction.rows(
        "SELECT r.id, r.fed_version, r.fed_hash FROM pair p JOIN record r ON r.id = p.record"
        " WHERE p.scope = ? AND r.fed_hash IS NOT NULL",
        scope,
    )


def kinds(transaction: Transaction) -> Mapping[str, _kinds.Kind]:
    """The kinds by name, as the server last described them: large, and another only by its tag."""
    return transaction.made_of("kinds", "kinds_tag", _kinds.read)


def unknown_kinds(transaction: Transaction) -> Mapping[str, int]:
    """How many records are held of kinds that nobody described to this device."""
    known = kinds(transaction)
    counted = transaction.rows("SELECT kind, count(*) FROM record GROUP BY kind")
    return {kind: count for kind, count in counted if known and kind not in known}
