"""Takes in the files that an administrator brings, and says what became of each."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.orm import Session

from server.domain.customers.importing import import_customers
from server.domain.goods.importing import import_goods
from server.domain.goods.ledgers import LEDGERS
from server.domain.goods.runs import Report
from server.errors import say_field
from server.people import rights
from server.services import Services
from server.sheets import ENCODINGS, Wrong, open_sheet

CUSTOMERS = "customers"
SORTS = (*LEDGERS, CUSTOMERS)
"""What a file may hold."""


def take_in(
    session: Session, services: Services, what: str, path: Path, *, by: str, dry_run: bool
) -> Report:
    """Takes the file at ``path`` in as ``what``, brought by the user ``by``.

    *Raises* :class:`server.sheets.SheetFault` where it cannot be read.
    """
    now = services.clock.now()
    with open_sheet(path) as sheet:
        if what == CUSTOMERS:
            person = rights.load_principal(session, by, device=None)
            sync = services.sync
            return import_customers(session, sync, sheet, by=person, at=now, dry_run=dry_run)
        return import_goods(session, what, sheet, by=by, at=now, dry_run=dry_run)


def say_report(report: Report) -> str:
    """What was found and what became of it, line by line."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"Read as {ENCODINGS[report.encoding]}."
    if report.unused:
        yield f"Columns that are not used: {', '.join(report.unused)}."
    yield from map(_say_wrong, report.wrong)
    counts = report.counts
    if report.refused:
        yield f"{report.refused:,} of {counts.rows:,} rows are wrong; nothing was taken in."
        return
    same = counts.rows - counts.added - counts.changed
    found = f"{counts.rows:,} rows: {counts.added:,} new, {counts.changed:,} changed, {same:,} same"
    yield f"{found}." if report.written else f"{found}; nothing was written."


def _say_wrong(wrong: Wrong) -> str:
    where = f"line {wrong.line}: {wrong.column or 'the row'}"
    return f"{where} {say_field(wrong.reason, 'en')}"
