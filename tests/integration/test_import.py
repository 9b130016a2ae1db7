"""Files of products, batches and shipments: all rows or none, the same file twice, bad rows."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from server.domain.goods.runs import Report
from server.domain.goods.tables import BatchRow, ImportRun, ProductRow, ShipmentRow
from server.errors import Problem
from server.extensions import db
from server.people.principal import Role
from server.people.tables import AuditEntry
from server.sheets import SheetFault
from server.upkeep.imports import say_report, take_in
from tests.company import Company

PRODUCTS = (
    "code,name_zh,English name,bottle,List price,Currency\nT-1,茶,Tea,12,36.50,cny\nT-2,水,,,,\n"
)
BATCHES = "批号,产品编码,生产日期,备注\nL-2026/01,T-1,2026年3月1日,x\nL-2026/01,T-2,20260302,\n"
SHIPMENTS = (
    "Delivery note,Batch number,Product code,Shipped on,Customer number,Market,Quantity,Unit\n"
    "N1,l2026 01,T-1,2026/3/5 00:00,C-1,上海,\"1,200\",瓶\n"
    "N2,L-2026/01,T-1,2026-03-06,C-2,Guangzhou,5,piece\n"
)  # fmt: skip

Bring = Callable[..., Report]


@pytest.fixture
def clerk(company: Company) -> str:
    """Who brings the files."""
    return company.user(Role.SALES_CLERK, None)


@pytest.fixture
def bring(company: Company, clerk: str, tmp_path: Path) -> Bring:
    """Takes in a text or bytes as a file."""

    def take(what: str, content: str | bytes, *, dry_run: bool = False) -> Report:
        path = tmp_path / f"{what}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return take_in(company.store, company.services, what, path, by=clerk, dry_run=dry_run)

    return take


def bring_all(bring: Bring) -> list[Report]:
    """All three files."""
    files = (("products", PRODUCTS), ("batches", BATCHES), ("shipments", SHIPMENTS))
    return [bring(what, content) for what, content in files]


def rows(company: Company, model: Any) -> list[dict[str, Any]]:
    """A table as it stands."""
    table = model.__table__
    found = company.store.execute(select(table).order_by(table.c.key)).mappings()
    return [dict(row) for row in found]


def counts(report: Report) -> tuple[int, int, int]:
    """Rows, of these new, of these changed."""
    return report.counts.rows, report.counts.added, report.counts.changed


def test_files_are_taken_in_under_chinese_and_english_headings(
    company: Company, bring: Bring
) -> None:
    told = bring_all(bring)
    assert [counts(one) for one in told] == [(2, 2, 0)] * 3
    assert [one.unused for one in told] == [(), ("备注",), ()]
    [tea, water] = rows(company, ProductRow)
    assert (str(tea["list_price"]), tea["currency"], str(tea["bottle"])) == ("36.5", "CNY", "12")
    assert (water["name_en"], water["list_price"]) == (None, None)
    assert [str(row["produced_on"]) for row in rows(company, BatchRow)] == [
        "2026-03-01",
        "2026-03-02",
    ]
    first, second = rows(company, ShipmentRow)
    assert (first["quantity"], first["unit"], str(first["shipped_on"])) == (
        1200,
        "bottle",
        "2026-03-05",
    )
    assert [first["market"], second["market"]] == [
        company.regions["shanghai"],
        company.regions["guangzhou"],
    ]


def test_the_same_files_a_second_time_change_nothing(company: Company, bring: Bring) -> None:
    bring_all(bring)
    before = [rows(company, model) for model in (ProductRow, BatchRow, ShipmentRow)]
    assert [counts(one) for one in bring_all(bring)] == [(2, 0, 0)] * 3
    assert [rows(company, model) for model in (ProductRow, BatchRow, ShipmentRow)] == before


def test_a_row_is_known_again_and_changed(company: Company, bring: Bring) -> None:
    bring_all(bring)
    told = bring("shipments", SHIPMENTS.replace('"1,200"', "0").replace("l2026 01", "L2026-01"))
    assert counts(told) == (2, 0, 1)
    assert [row["quantity"] for row in rows(company, ShipmentRow)] == [0, 5]
    assert counts(bring("products", "code,name_zh\nT-1,红茶\n")) == (1, 0, 1)
    tea = rows(company, ProductRow)[0]
    assert (tea["name_zh"], tea["name_en"], str(tea["bottle"])) == ("红茶", "Tea", "12")
    assert counts(bring("products", "code,name_zh,bottle\nT-1,红茶,\n")) == (1, 0, 1)
    assert rows(company, ProductRow)[0]["bottle"] is None


def test_one_bad_row_keeps_all_out_and_each_is_named_by_its_line(
    company: Company, bring: Bring
) -> None:
    bring("products", PRODUCTS)
    told = bring("batches", 'number,product\nA1,T-1\n\n"A\n2",T-9\n-,T-1\na-1,T-1\n,T-1\n')
    assert rows(company, BatchRow) == []
    assert say_report(told).splitlines() == [
        "Read as UTF-8.",
        "line 4: number holds a character that is not allowed",
        "line 6: number has the wrong form",
        "line 7: the row repeats line 2",
        "line 8: number is needed",
        "4 of 5 rows are wrong; nothing was taken in.",
    ]


SHIPPED = (
    ("N,L1,T-1,2026-03-05,C,上海,5,piece", {}),
    ("=1+1,L1,T-1,2026-03-05,C,上海,5,piece", {"note": "formula"}),
    ("@SUM,L1,T-1,2026-03-05,-2+3,上海,5,piece", {"note": "formula"}),
    ("N,L1,T-1,2026-03-05,-a,上海,5,piece", {"customer": "formula"}),
    ("N,L1,T-1,2026-03-05,+86 (21) 5,上海,5,piece", {}),
    (f"{'n' * 81},L1,T-1,2026-03-05,C,上海,5,piece", {"note": "too_long:80"}),
    ("N,L1,T-1,2026-02-30,C,上海,5,piece", {"shipped_on": "date"}),
    ("N,L1,T-1,5/3/2026,C,上海,5,piece", {"shipped_on": "date"}),
    ("N,L1,T-1,2026-03/05,C,上海,5,piece", {"shipped_on": "date"}),
    ("N,L1,T-1,2026-03-05,C,上海,-5,piece", {"quantity": "whole"}),
    ("N,L1,T-1,2026-03-05,C,上海,5.0,piece", {"quantity": "whole"}),
    ("N,L1,T-1,2026-03-05,C,上海,1e3,piece", {"quantity": "whole"}),
    ('N,L1,T-1,2026-03-05,C,上海,"1,2",piece', {"quantity": "whole"}),
    ("N,L1,T-1,2026-03-05,C,上海,9999999999999999,piece", {"quantity": "whole"}),
    ("N,L1,T-1,2026-03-05,C,上海,５,Piece", {}),
    ("N,L1,T-1,2026-03-05,C,上海,5,pallet", {"unit": "choice"}),
    ("N,L1,T-1,2026-03-05,C,苏州,5,piece", {"market": "unknown"}),
    ("N,L2,T-9,2026-03-05,C,苏州,5,piece", {"batch": "unknown", "market": "unknown"}),
    ("N,L1,T-1,2026-03-05,C,上海,5,piece,more", {"": "too_many:8"}),
    ("N,L1,T-1,2026-03-05,C", dict.fromkeys(("market", "quantity", "unit"), "required")),
    ("=1,L1,,2026-03-05,C,上海,,piece",
     {"note": "formula", "product": "required", "quantity": "required"}),
)  # fmt: skip
"""Cells of a shipment, and the reason of each column that is not taken."""


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_cell_that_cannot_be_taken_is_named_with_its_reason(bring: Bring) -> None:
    bring("products", PRODUCTS)
    bring("batches", "number,product\nL1,T-1\n")
    cells = (row.replace("N,", f"N{line},", 1) for line, (row, _reasons) in enumerate(SHIPPED))
    told = bring("shipments", "\n".join((SHIPMENTS.splitlines()[0], *cells)))
    for line, (row, reasons) in enumerate(SHIPPED, start=2):
        found = {one.column: one.reason for one in told.wrong if one.line == line}
        assert found == reasons, row
    assert told.refused == sum(bool(reasons) for _row, reasons in SHIPPED)


PRICED = (
    ("T,n,1e3,,", "number"),
    ("T,n,.5,,", "number"),
    ("T,n,-1,,", "number"),
    ("T,n,0.000,,", "above:0"),
    ("T,n,1.1234567,,", "number"),
    ("T,n,NaN,,", "number"),
    ("T,n,12,1.234,CNY", "number"),
    ("T,n,12,5,", "required"),
    ("T,n,12,5,元", "format"),
)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_x13_a_conversion_or_a_price_that_is_not_exact_is_refused(bring: Bring) -> None:
    cells = "\n".join(row for row, _reason in PRICED)
    told = bring("products", f"code,name_zh,bottle,list_price,currency\n{cells}\n")
    assert [one.reason for one in told.wrong] == [reason for _row, reason in PRICED]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("gb18030", "GB18030"), ("gbk", "GB18030")],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_file_is_read_as_spreadsheets_write_it(
    company: Company, bring: Bring, encoding: str, said: str
) -> None:
    content = "产品编码;产品名称;每件瓶数\r\nT-1;乌龙茶;12\r\n".encode(encoding)
    told = bring("products", content)
    assert say_report(told).splitlines()[0] == f"Read as {said}."
    assert [(row["name_zh"], row["bottle"]) for row in rows(company, ProductRow)] == [
        ("乌龙茶", 12)
    ]


UNREADABLE = (
    (b"", "empty"),
    (b"\xff\xff\x00 nonsense", "neither UTF-8 nor GB18030"),
    ("code,name_zh\nT,茶\n".encode("utf-16"), "UTF-16"),
    (b"code\nT\n", "missing: name_zh (产品名称)."),
    (b"code,Product code,name_zh\nT,T,n\n", "twice: code"),
    (b'code,name_zh\nT,n\nT,"x\n', "Line 3 cannot be read"),
    (b'code,name_zh\nT,"n"x\n', "Line 2 cannot be read"),
    (b"code,name_zh\nT," + b"n" * 200_000 + b"\n", "Line 2 cannot be read"),
)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_file_that_cannot_be_read_is_refused_in_words(company: Company, bring: Bring) -> None:
    for content, said in UNREADABLE:
        with pytest.raises(SheetFault, match=re.escape(said)):
            bring("products", content)
    assert rows(company, ProductRow) == []


def test_who_brought_which_file_is_noted(company: Company, bring: Bring, clerk: str) -> None:
    bring("products", PRODUCTS, dry_run=True)
    bring("products", "code,name_zh\n,\n=,x\n")
    assert rows(company, ImportRun) == []
    bring("products", PRODUCTS)
    [run] = rows(company, ImportRun)
    assert (run["user"], run["what"], run["file"]) == (clerk, "products", "products.csv")
    assert (len(run["sha256"]), run["rows"], run["added"], run["changed"]) == (64, 2, 2, 0)
    noted = select(AuditEntry.user).where(AuditEntry.what == "file_imported")
    assert list(company.store.scalars(noted)) == [clerk]


def test_files_brought_at_the_same_moment_are_taken_in_once(
    app: Flask, company: Company, clerk: str, tmp_path: Path
) -> None:
    path = tmp_path / "products.csv"
    path.write_text("code,name_zh\n" + "".join(f"T-{n},n{n}\n" for n in range(1500)), "utf-8")
    services = company.services

    def take(_time: int) -> str:
        with app.app_context():
            try:
                told = take_in(db.session(), services, "products", path, by=clerk, dry_run=False)
            except Problem as problem:
                return problem.code
            finally:
                db.session.remove()
            return "added" if told.counts.added else "same"

    with ThreadPoolExecutor(4) as people:
        said = list(people.map(take, range(4)))
    assert said.count("added") == 1
    assert set(said) <= {"added", "same", "unavailable"}
    assert len(rows(company, ProductRow)) == 1500


def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    company: Company, bring: Bring
) -> None:
    told = bring("products", PRODUCTS, dry_run=True)
    assert say_report(told).splitlines()[-1] == (
        "2 rows: 2 new, 0 changed, 0 same; nothing was written."
    )
    assert rows(company, ProductRow) == []
