"""The device's copy of what the server holds, with own unsettled edits laid over it when read.

A pull changes the server's copy and never a pending mutation. Nothing here speaks HTTP.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fieldstamp import _kinds, _wire
from fieldstamp._answers import Item, Page
from fieldstamp._store import Row, Transaction
from fieldstamp._values import Record

_RECORD = "SELECT id, kind, version, epoch, data, withdrawn FROM record"
_LAID = "SELECT record, action, kind, body FROM mutation WHERE laid = 1"


def find(transaction: Transaction, record: str) -> Record | None:
    """The record as this device sees it, or None."""
    row = transaction.one(f"{_RECORD} WHERE id = ?", record)
    laid = transaction.rows(f"{_LAID} AND record = ? ORDER BY n", record)
    return None if row is None and not laid else _overlaid(record, row, laid)


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
    generation = transaction.value("generation") or 0
    for item in page.items:
        if item.item == "leave":
            _leave(transaction, item.record, item.scope)
        else:
            _put(transaction, item, epoch=page.epoch, generation=generation)
    transaction.keep("cursor", page.cursor)
    if not page.more and not page.backfilling:
        _sweep(transaction, generation)
    return len(page.items)


def _put(transaction: Transaction, item: Item, *, epoch: str, generation: int) -> None:
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
    data = None if gone else _wire.dump(item.data).decode()
    write_copy(
        transaction,
        record=item.record,
        kind=item.kind,
        version=item.version,
        epoch=epoch,
        data=data,
    )
    transaction.run(
        "UPDATE record SET fed_version = ?, fed_hash = ?, generation = ? WHERE id = ?",
        item.version,
        None if gone else item.hash,
        generation,
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
) -> None:
    """Takes the server's copy of a record where it is newer; ``data`` None: it was withdrawn.

    P1: versions compare only within an epoch; a copy of another epoch gives way.
    """
    transaction.run(
        "INSERT INTO record (id, kind, version, epoch, data, withdrawn, generation)"
        " VALUES (?1, ?2, ?3, ?4, coalesce(?5, '{}'), ?5 IS NULL, 0)"
        " ON CONFLICT (id) DO UPDATE SET version = ?3, epoch = ?4, withdrawn = ?5 IS NULL,"
        " data = coalesce(?5, data) WHERE ?3 > version OR ?4 <> epoch",
        record,
        kind,
        version,
        epoch,
        data,
    )
    uncover(transaction, record)


def uncover(transaction: Transaction, record: str) -> None:
    """Takes off the own edits whose version, or a newer one, is here."""
    transaction.run(
        "UPDATE mutation SET laid = 0 WHERE laid = 1 AND record = ?1"
        " AND state IN ('applied', 'merged')"
        " AND version <= (SELECT version FROM record WHERE id = ?1)",
        record,
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


def start_over(transaction: Transaction) -> None:
    """Asks for everything again; what does not come again is removed when all has come."""
    transaction.keep("generation", (transaction.value("generation") or 0) + 1)
    transaction.keep("cursor", None)


def _sweep(transaction: Transaction, generation: int) -> None:
    if transaction.value("swept") == generation:
        return
    stale = "SELECT id FROM record WHERE generation < ?"
    for (record,) in transaction.rows(stale, generation):
        transaction.run("DELETE FROM pair WHERE record = ?", record)
        _remove(transaction, record)
    transaction.keep("swept", generation)


def erase(transaction: Transaction) -> None:
    """Removes every copy of the server's records; own mutations and photos stay (P6)."""
    transaction.run("DELETE FROM pair")
    transaction.run("DELETE FROM record")
    transaction.run("UPDATE mutation SET laid = 0 WHERE state IN ('applied', 'merged')")
    transaction.keep("cursor", None)


def mismatches(transaction: Transaction, digest: Iterable[tuple[str, int, str]]) -> list[str]:
    """P7: the scopes of which this device holds something else than the server says."""
    return [scope for scope, count, total in digest if _held(transaction, scope) != (count, total)]


def _held(transaction: Transaction, scope: str) -> tuple[int, str]:
    rows = transaction.rows(
        "SELECT r.id, r.fed_version, r.fed_hash FROM pair p JOIN record r ON r.id = p.record"
        " WHERE p.scope = ? AND r.fed_hash IS NOT NULL",
        scope,
    )
    return _wire.scope_sum(rows)


def unknown_kinds(transaction: Transaction) -> Mapping[str, int]:
    """How many records are held of kinds that nobody described to this device."""
    known = _kinds.read(transaction.text("kinds"))
    counted = transaction.rows("SELECT kind, count(*) FROM record GROUP BY kind")
    return {kind: count for kind, count in counted if known and kind not in known}
