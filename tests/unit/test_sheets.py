"""Files as people export them: read as they were written, or refused in words."""

import csv
import io
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import sheets
from server.sheets import Refused, SheetFault, needed, open_sheet, optional, read_rows

COLUMNS = (
    needed("name", sheets.text(20), "名称", "Name"),
    optional("note", sheets.text(20), "备注", "Note"),
)
CELLS = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=20,
).filter(lambda cell: cell == cell.strip() and cell[0] not in "=@+-")
FIXED = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read(path: Path, content: bytes) -> list[sheets.Row]:
    """The rows of a file with this content."""
    path.write_bytes(content)
    with open_sheet(path) as sheet:
        return list(read_rows(sheet, COLUMNS))


@FIXED
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"name\n{text}".encode()))
def test_any_bytes_are_read_or_refused_in_words(tmp_path: Path, content: bytes) -> None:
    with suppress(SheetFault):
        rows = read(tmp_path / "any.csv", content)
        assert all(row.wrong or row.values["name"] for row in rows)


@pytest.mark.parametrize("begin", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1"])
def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path, begin: bytes) -> None:
    with pytest.raises(SheetFault, match="is a workbook"):
        read(tmp_path / "book.csv", begin + bytes(range(256)))


@FIXED
@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    st.sampled_from(",;\t"),
    st.booleans(),
)
def test_what_a_spreadsheet_writes_is_read_as_it_was(
    tmp_path: Path, table: list[tuple[str, str]], encoding: str, delimiter: str, all_quoted: bool
) -> None:
    file = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(file, delimiter=delimiter, quoting=quoting).writerows([("备注", "名称"), *table])
    rows = read(tmp_path / "table.csv", file.getvalue().encode(encoding))
    assert [(row.values["note"], row.values["name"]) for row in rows] == table
    assert [row.line for row in rows] == list(range(2, len(table) + 2))


def test_a_row_is_named_by_the_line_on_which_it_begins(tmp_path: Path) -> None:
    rows = read(tmp_path / "lines.csv", b'name,note\n\n"a","x\ny"\nb,\n , \nc\n')
    assert [(row.line, row.values.get("name")) for row in rows] == [(3, "a"), (5, "b"), (7, "c")]
    assert [one.reason for one in rows[0].wrong] == ["text"]


def test_bytes_split_between_two_pieces_are_one_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sheets.PIECE", 1)
    [row] = read(tmp_path / "pieces.csv", "名称\n乌龙茶\n".encode())
    assert row.values == {"name": "乌龙茶"}


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2026-03-05", date(2026, 3, 5)),
        ("2026/3/5", date(2026, 3, 5)),
        ("2026.03.05", date(2026, 3, 5)),
        ("2026年3月5日", date(2026, 3, 5)),
        ("20260305", date(2026, 3, 5)),
        ("2026-03-05 23:59:59", date(2026, 3, 5)),
        ("2026-03-05T08:00", date(2026, 3, 5)),
        ("２０２６－０３－０５", date(2026, 3, 5)),
        ("2028-02-29", date(2028, 2, 29)),
    ],
)
def test_a_day_is_read_as_spreadsheets_write_it(cell: str, day: date) -> None:
    assert sheets.day(cell) == day


@pytest.mark.parametrize(
    "cell", ["2026-02-29", "2026-13-01", "0000-01-01", "2026-3", "46086", "2026-03-05x"]
)
def test_a_day_that_can_be_read_in_two_ways_or_is_none_is_refused(cell: str) -> None:
    with pytest.raises(Refused, match="date"):
        sheets.day(cell)


def test_numbers_are_exact_and_within_their_digits() -> None:
    assert sheets.exact(3, 2)("999.99") == Decimal("999.99")
    assert sheets.whole("999,999") == 999_999
    for cell in ("1000", "0.001", "1.", "+1", "1 0", "∞"):
        with pytest.raises(Refused, match="number"):
            sheets.exact(3, 2)(cell)
    with pytest.raises(Refused, match="above:0"):
        sheets.exact(3, 2, above_zero=True)("0.00")


@pytest.mark.parametrize("cell", ["=1", "@A", "+a", "-cmd|' /C calc'!A0", "+1+cmd"])
def test_what_a_spreadsheet_would_run_is_refused(cell: str) -> None:
    with pytest.raises(Refused, match="formula"):
        sheets.text(40)(cell)


@pytest.mark.parametrize("cell", ["+86 (21) 555-1", "-", "a=b", "王@店", "1-2"])
def test_a_telephone_number_and_a_dash_are_no_formula(cell: str) -> None:
    assert sheets.text(40)(cell) == cell
