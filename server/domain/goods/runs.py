"""What became of a file that was brought, and the note of one that was taken in."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy.orm import Session

from server.domain.goods.tables import ImportRun
from server.people import audit
from server.sheets import Heading, Sheet, SheetFault, Wrong

Entry = TypeVar("Entry")

MOST_ROWS = 300_000
"""Of one file: SQLite's one writer waits while they are written."""
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


@dataclass(slots=True)
class Tally:
    """What one reading of a file came to."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    refused: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    lines: dict[Hashable, int] = field(default_factory=dict)
    """Natural key → the line that has it."""

    @property
    def counts(self) -> Counts:
        """Rows by what they change."""
        return Counts(rows=self.rows, added=self.added, changed=self.changed)

    def accept(self, line: int, key: Hashable, wrong: tuple[Wrong, ...]) -> bool:
        """Counts a row; whether it is right, and the first one with its natural key.

        *Raises* :class:`SheetFault` where there are too many.
        """
        self.rows += 1
        if self.rows > MOST_ROWS:
            raise SheetFault(f"The file has more than {MOST_ROWS:,} rows. Split it.")
        if not wrong and (first := self.lines.setdefault(key, line)) != line:
            wrong = (Wrong(line, "", f"repeated:{first}"),)
        self.refuse(wrong)
        return not wrong

    def refuse(self, wrong: tuple[Wrong, ...]) -> None:
        """Counts a row that is wrong for these reasons; without any, it is not."""
        self.refused += bool(wrong)
        self.wrong += wrong[: MOST_SHOWN - len(self.wrong)]

    def report(self, sheet: Sheet, heading: Heading, *, written: bool) -> Report:
        """What is told of it."""
        return Report(
            encoding=sheet.encoding,
            unused=heading.unused,
            counts=self.counts,
            wrong=tuple(self.wrong),
            refused=self.refused,
            written=written,
        )


def in_chunks(rows: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """``rows`` by the ``size``, so that a long file needs no more memory than a short one."""
    waiting = iter(rows)
    while chunk := list(islice(waiting, size)):
        yield chunk


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
