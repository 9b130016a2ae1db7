"""Tables that an office exports: CSV files as rows of checked cells, read as a stream.

A cell that is wrong is a value with the code of its reason (a key of ``errors.FIELD_WORDS``); a
file that cannot be read at all is a :class:`SheetFault`. Knows no table of the store.
"""

import codecs
import csv
import io
import re
import tempfile
import unicodedata
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

PIECE = 1 << 20
MARKS = {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How a file of a spreadsheet program begins, newer and older."""
ENCODINGS = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}
"""As which a file is tried, in this order, and what a person calls them."""
DELIMITERS = ",;\t"

DAY = re.compile(
    r"(?P<y>\d{4})(?:(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})|年(\d{1,2})月(\d{1,2})日?"
    r"|(\d{2})(\d{2}))(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?"
)
WHOLE = re.compile(r"\d{1,15}|\d{1,3}(?:,\d{3}){1,4}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
FORMULA = re.compile(r"[=@]|[+-](?![\d ()+-]*$)")
"""What a spreadsheet may take for a formula; a telephone number is none."""


class SheetFault(Exception):
    """The file as a whole cannot be taken; the sentence says why."""


class Refused(ValueError):
    """A cell cannot be taken; the argument is the code of the reason."""


Reader = Callable[[str], Any]
"""Makes a value of the text of a cell. *Raises* :class:`Refused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a sheet may have, under any of its headings."""

    name: str
    headings: tuple[str, ...]
    """In Chinese and English; ``name`` is one, too."""
    read: Reader
    required: bool = False


def needed(name: str, read: Reader, *headings: str) -> Column:
    """A column whose cells must be filled in."""
    return Column(name=name, headings=headings, read=read, required=True)


def optional(name: str, read: Reader, *headings: str) -> Column:
    """A column that may be missing; an empty cell empties what is there."""
    return Column(name=name, headings=headings, read=read)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a row is not taken; without a column it is the row as a whole."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by column, None where a cell is empty, or what is wrong with it."""

    line: int
    values: Mapping[str, Any]
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file, and a private copy of it, so that every reading sees the same bytes."""

    name: str
    sha256: str
    encoding: str
    copy: IO[bytes]

    def lines(self) -> Generator[tuple[int, list[str]], None, None]:
        """(number, cells) of every row that is not empty. *Raises* :class:`SheetFault`."""
        self.copy.seek(0)
        text = io.TextIOWrapper(self.copy, self.encoding, newline="")
        try:
            first = text.readline()
            text.seek(0)
            yield from _numbered(csv.reader(text, delimiter=_delimiter(first), strict=True))
        finally:
            text.detach()


@contextmanager
def open_sheet(path: Path) -> Iterator[Sheet]:
    """The file at ``path``. *Raises* :class:`SheetFault` where it is no text that is known."""
    with path.open("rb") as source, tempfile.TemporaryFile() as copy:
        digest, encoding = _take(source, copy)
        yield Sheet(name=path.name, sha256=digest, encoding=encoding, copy=copy)


def _take(source: IO[bytes], copy: IO[bytes]) -> tuple[str, str]:
    """Copies; the SHA-256 and the encoding."""
    digest, possible = sha256(), {name: _decoder(name) for name in ENCODINGS}
    size = 0
    while piece := source.read(PIECE):
        if not size and piece[:2] in MARKS:
            raise SheetFault("The file is UTF-16. Save it as CSV in UTF-8.")
        if not size and piece.startswith(WORKBOOKS):
            raise SheetFault("The file is a workbook. Save it as CSV in UTF-8.")
        digest.update(piece)
        size += copy.write(piece)
        possible = {name: one for name, one in possible.items() if _takes(one, piece)}
    fitting = [name for name, one in possible.items() if _takes(one, b"", final=True)]
    if not fitting or not size:
        raise SheetFault("The file is empty, or neither UTF-8 nor GB18030.")
    return digest.hexdigest(), fitting[0]


def _decoder(name: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(name)("strict")


def _takes(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(first: str) -> str:
    return max(DELIMITERS, key=first.count)


def _numbered(parser: Any) -> Iterator[tuple[int, list[str]]]:
    line = 1
    while True:
        try:
            cells = next(parser, None)
        except csv.Error as error:
            raise SheetFault(f"Line {line} cannot be read: {error}.") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = parser.line_num + 1


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the rows: per place its column, and what is not used."""

    places: tuple[Column | None, ...]
    written: tuple[str, ...]

    @property
    def unused(self) -> tuple[str, ...]:
        """Headings that name no column."""
        pairs = zip(self.places, self.written, strict=True)
        return tuple(text for column, text in pairs if column is None and text)


def read_heading(sheet: Sheet, columns: Sequence[Column]) -> Heading:
    """Which column stands where. *Raises* :class:`SheetFault` where one is missing or doubled."""
    with closing(sheet.lines()) as lines:
        _line, cells = next(lines, (1, []))
    known = {_folded(text): one for one in columns for text in (one.name, *one.headings)}
    places = tuple(known.get(_folded(cell)) for cell in cells)
    named = [column.name for column in places if column]
    if doubled := sorted({name for name in named if named.count(name) > 1}):
        raise SheetFault(f"These columns stand there twice: {', '.join(doubled)}.")
    if missing := [one for one in columns if one.required and one.name not in named]:
        said = ", ".join(f"{one.name} ({one.headings[0]})" for one in missing)
        raise SheetFault(f"These columns are missing: {said}.")
    return Heading(places, tuple(cell.strip() for cell in cells))


def _folded(heading: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", heading).casefold()))


def read_rows(sheet: Sheet, columns: Sequence[Column]) -> Iterator[Row]:
    """Every row below the heading. *Raises* :class:`SheetFault`."""
    heading = read_heading(sheet, columns)
    lines = sheet.lines()
    next(lines)
    for line, cells in lines:
        yield _row(heading, line, cells)


def _row(heading: Heading, line: int, cells: Sequence[str]) -> Row:
    values: dict[str, Any] = {}
    wrong: list[Wrong] = []
    if any(cell.strip() for cell in cells[len(heading.places) :]):
        wrong.append(Wrong(line, "", f"too_many:{len(heading.places)}"))
    for place, column in enumerate(heading.places):
        if column is None:
            continue
        cell = cells[place].strip() if place < len(cells) else ""
        try:
            values[column.name] = _cell(column, cell)
        except Refused as refused:
            wrong.append(Wrong(line, column.name, str(refused)))
    return Row(line, values, tuple(wrong))


def _cell(column: Column, cell: str) -> Any:
    if cell:
        return column.read(cell)
    if column.required:
        raise Refused("required")
    return None


def text(limit: int) -> Reader:
    """At most ``limit`` characters, none of control, which no spreadsheet takes for a formula."""

    def read(cell: str) -> str:
        if len(cell) > limit:
            raise Refused(f"too_long:{limit}")
        if CONTROL.search(cell):
            raise Refused("text")
        if FORMULA.match(cell):
            raise Refused("formula")
        return cell

    return read


def choice(words: Mapping[str, tuple[str, str]]) -> Reader:
    """One of the keys of ``words``, written as itself or by its name in Chinese or English."""
    known = {_folded(said): code for code, names in words.items() for said in (code, *names)}

    def read(cell: str) -> str:
        code = known.get(_folded(cell))
        if code is None:
            raise Refused("choice")
        return code

    return read


def whole(cell: str) -> int:
    """A whole number, not below 0, thousands parted by commas or not."""
    plain = unicodedata.normalize("NFKC", cell)
    if not WHOLE.fullmatch(plain):
        raise Refused("whole")
    return int(plain.replace(",", ""))


def exact(digits: int, places: int, *, above_zero: bool = False) -> Reader:
    """An exact decimal, not below 0: ``digits`` before the point, ``places`` after it."""
    form = re.compile(rf"\d{{1,{digits}}}(?:\.\d{{1,{places}}})?")

    def read(cell: str) -> Decimal:
        plain = unicodedata.normalize("NFKC", cell)
        if not form.fullmatch(plain):
            raise Refused("number")
        number = Decimal(plain)
        if above_zero and not number:
            raise Refused("above:0")
        return number

    return read


def day(cell: str) -> date:
    """A day, the year first, as spreadsheets write it; a time behind it is left out."""
    found = DAY.fullmatch(unicodedata.normalize("NFKC", cell))
    if not found:
        raise Refused("date")
    parts = [int(part) for part in found.groups() if part and part.isdigit()]
    try:
        return date(*parts)
    except ValueError:
        raise Refused("date") from None
