"""What became of a file that was brought, and the note of one that was taken in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from server.domain.goods.tables import ImportRun
from server.people import audit
from server.sheets import Sheet, Wrong

MOST_SHOWN = 200
"""Reasons that are told one by one; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of a file by what they change."""

    rows: int
    added: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a file holds, what is wrong with it, and whether it was taken in."""

    encoding: str
    unused: tuple[str, ...]
    """Headings of columns that name nothing."""
    counts: Counts
    wrong: tuple[Wrong, ...]
    """The first reasons."""
    refused: int
    """How many rows are wrong."""
    written: bool


def note_run(
    session: Session, what: str, sheet: Sheet, counts: Counts, *, by: str, at: datetime
) -> None:
    """Notes, in the transaction that takes it in, who brought which file and what it changed."""
    run = ImportRun(
        at=at,
        user=by,
        what=what,
        file=sheet.name,
        sha256=sheet.sha256,
        rows=counts.rows,
        added=counts.added,
        changed=counts.changed,
    )
    session.add(run)
    audit.note(session, "file_imported", at=at, user=by)
