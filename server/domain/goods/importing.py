"""Takes a file of products, batches or shipments in: all of its rows, or none."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from server.db import Fault, told_faults, transaction
from server.domain.goods.ledgers import LEDGERS, Entry, Known, Ledger
from server.domain.goods.runs import Report, Tally, in_chunks, note_run
from server.domain.goods.tables import GoodsNews, among
from server.errors import Problem
from server.sheets import Sheet, read_heading, read_rows

CHUNK = 1000
Key = tuple[Any, ...]


def import_goods(
    session: Session, what: str, sheet: Sheet, *, by: str, at: datetime, dry_run: bool = False
) -> Report:
    """Reads ``sheet`` as ``what`` (a key of ``LEDGERS``) and, unless a row is wrong, writes it.

    Rows are known again by their natural key, so that a second time changes nothing. *Raises*
    :class:`SheetFault`; Problem ``wrong_state`` where what it names was changed meanwhile, and
    ``unavailable`` where another file was taken in at the same moment, or the store is busy.
    """
    ledger = LEDGERS[what]
    heading = read_heading(sheet, ledger.columns)
    tally = _pass_over(session, sheet, ledger, write=False)
    written = not tally.refused and not dry_run
    if written:
        tally = _take_in(session, what, sheet, by=by, at=at)
    return tally.report(sheet, heading, written=written)


def _take_in(session: Session, what: str, sheet: Sheet, *, by: str, at: datetime) -> Tally:
    try:
        with told_faults(), transaction(session):
            tally = _pass_over(session, sheet, LEDGERS[what], write=True)
            note_run(session, what, sheet, tally.counts, by=by, at=at)
    except Fault as fault:
        raise Problem("unavailable", retry_after=5) from fault
    return tally


def _pass_over(session: Session, sheet: Sheet, ledger: Ledger, *, write: bool) -> Tally:
    tally, known = Tally(), Known(session)
    for rows in in_chunks(read_rows(sheet, ledger.columns), CHUNK):
        entries = [one for one in ledger.entries(known, rows) if _accept(tally, ledger, one)]
        fresh, changed = _compare(session, ledger, entries)
        tally.added += len(fresh)
        tally.changed += len(changed)
        if write and tally.refused:
            raise Problem("wrong_state")
        if write:
            _write(session, _table(ledger), fresh, changed)
            _tell(session, ledger.news(session, [*fresh, *changed]))
    return tally


def _accept(tally: Tally, ledger: Ledger, entry: Entry) -> bool:
    key = None if entry.wrong else _natural(ledger, entry.values)
    return tally.accept(entry.line, key, entry.wrong)


def _table(ledger: Ledger) -> Table:
    # Typed as any selectable, since a class may be mapped to a join; this one is mapped to a table.
    table: Table = ledger.model.__table__  # type: ignore[assignment]
    return table


def _compare(
    session: Session, ledger: Ledger, entries: Sequence[Entry]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The rows that are new, and those that differ from what is there, with its ``key``."""
    stored = _stored(session, ledger, entries)
    fresh: list[Mapping[str, Any]] = []
    changed: list[Mapping[str, Any]] = []
    for entry in entries:
        there = stored.get(_natural(ledger, entry.values))
        if there is None:
            fresh.append(entry.values)
        elif any(there[name] != value for name, value in entry.values.items()):
            changed.append({**entry.values, "stored_key": there["key"]})
    return fresh, changed


def _natural(ledger: Ledger, values: Mapping[str, Any]) -> Key:
    return tuple(values[name] for name in ledger.natural)


def _stored(
    session: Session, ledger: Ledger, entries: Sequence[Entry]
) -> dict[Key, Mapping[str, Any]]:
    if not entries:
        return {}
    table = _table(ledger)
    place = [table.c[name] for name in ledger.natural]
    wanted = [_natural(ledger, entry.values) for entry in entries]
    found = session.execute(select(table).where(among(session, place, wanted))).mappings()
    return {_natural(ledger, row): row for row in map(dict, found)}


def _write(
    session: Session,
    table: Table,
    fresh: Sequence[Mapping[str, Any]],
    changed: Sequence[Mapping[str, Any]],
) -> None:
    if fresh:
        session.execute(insert(table), fresh)
    if changed:
        names = changed[0].keys() - {"stored_key"}
        there = table.c.key == bindparam("stored_key")
        setting = update(table).where(there).values({name: bindparam(name) for name in names})
        session.connection().execute(setting, changed)


def _tell(session: Session, news: Collection[str]) -> None:
    if news:
        session.execute(insert(GoodsNews), [{"name": name} for name in sorted(news)])
