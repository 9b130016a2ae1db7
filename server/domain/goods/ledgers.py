"""What a file of products, batches or shipments must have, and how a row becomes one of a table."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import sheets
from server.db import Base
from server.domain.goods.rules import PIECE, batch_key
from server.domain.goods.tables import BatchRow, ProductRow, ShipmentRow, among
from server.domain.vocabulary import UNITS
from server.people.centres import RegionTree
from server.people.regions import load_tree
from server.sheets import Column, Row, Wrong, needed, optional

CODE, NUMBER, NAME = sheets.text(40), sheets.text(80), sheets.text(120)


class Known:
    """What rows may name, as it stands when a file is read."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @cached_property
    def products(self) -> Mapping[str, int]:
        """Code → key."""
        found = self.session.execute(select(ProductRow.code, ProductRow.key))
        return {row.code: row.key for row in found}

    @cached_property
    def regions(self) -> RegionTree:
        """The region tree."""
        return load_tree(self.session)

    def batches(self, wanted: set[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """(number as it is sought, product) → key."""
        place = (BatchRow.sought, BatchRow.product)
        if not wanted:
            return {}
        found = self.session.execute(
            select(*place, BatchRow.key).where(among(self.session, place, wanted))
        )
        return {(sought, product): key for sought, product, key in found}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as its table has it, or what is wrong with it."""

    line: int
    values: Mapping[str, Any]
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One sort of file."""

    columns: tuple[Column, ...]
    model: type[Base]
    natural: tuple[str, ...]
    """The columns of the table by which a row is the same as one that is there."""
    entries: Callable[[Known, Sequence[Row]], Iterator[Entry]]
    news: Callable[[Session, Sequence[Mapping[str, Any]]], set[str]]
    """Of what rows that were written say something new, as ``GoodsNews`` names it."""


def _refused(row: Row, *wrong: tuple[str, str]) -> Entry:
    found = tuple(Wrong(row.line, column, reason) for column, reason in wrong)
    return Entry(row.line, {}, (*row.wrong, *found))


def _product_entries(_known: Known, rows: Sequence[Row]) -> Iterator[Entry]:
    for row in rows:
        priced = row.values.get("list_price") is not None
        if row.wrong or not priced or row.values.get("currency") is not None:
            yield Entry(row.line, row.values, row.wrong)
        else:
            yield _refused(row, ("currency", "required"))


def _batch_entries(known: Known, rows: Sequence[Row]) -> Iterator[Entry]:
    for row in rows:
        values = dict(row.values)
        product = known.products.get(values.pop("product", ""))
        if row.wrong:
            yield _refused(row)
        elif product is None:
            yield _refused(row, ("product", "unknown"))
        else:
            sought = batch_key(values["number"])
            yield Entry(row.line, {**values, "sought": sought, "product": product})


def _shipment_entries(known: Known, rows: Sequence[Row]) -> Iterator[Entry]:
    places = {row.line: _place(known, row) for row in rows if not row.wrong}
    batches = known.batches({place for place in places.values() if place})
    for row in rows:
        if row.wrong:
            yield _refused(row)
            continue
        values = dict(row.values)
        del values["product"]
        place = places[row.line]
        values["batch"] = batches.get(place) if place else None
        values["market"] = known.regions.find(values["market"])
        missing = [(name, "unknown") for name in ("batch", "market") if values[name] is None]
        yield _refused(row, *missing) if missing else Entry(row.line, values)


def _place(known: Known, row: Row) -> tuple[str, int] | None:
    product = known.products.get(row.values["product"])
    return None if product is None else (batch_key(row.values["batch"]), product)


def _product_news(_session: Session, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    called = {row.get(name) for row in rows for name in ("code", "name_zh", "name_en")}
    return {f"product:{name}" for name in called if name}


def _no_news(_session: Session, _rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """A batch of which nothing was shipped says nothing of where goods went."""
    return set()


def _shipment_news(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    batches = sorted({row["batch"] for row in rows})
    sought = session.scalars(select(BatchRow.sought).where(BatchRow.key.in_(batches)))
    return {f"batch:{number}" for number in sought}


def _batch_number(cell: str) -> str:
    number: str = NUMBER(cell)
    if not batch_key(number):
        raise sheets.Refused("format")
    return number


def _currency(cell: str) -> str:
    code = unicodedata.normalize("NFKC", cell).upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise sheets.Refused("format")
    return code


def _unit_columns() -> Iterator[Column]:
    """X13: how many of a unit make one piece."""
    for unit, (zh, en) in UNITS.items():
        if unit != PIECE:
            read = sheets.exact(9, 6, above_zero=True)
            yield optional(unit, read, f"每件{zh}数", f"{en} per piece")


PRODUCT = needed("product", CODE, "产品编码", "Product code")

LEDGERS: Mapping[str, Ledger] = {
    "products": Ledger(
        columns=(
            needed("code", CODE, "产品编码", "Product code"),
            needed("name_zh", NAME, "产品名称", "中文名称", "Chinese name"),
            optional("name_en", NAME, "英文名称", "English name"),
            optional("list_price", sheets.exact(12, 2), "标价", "List price"),
            optional("currency", _currency, "币种", "Currency"),
            *_unit_columns(),
        ),
        model=ProductRow,
        natural=("code",),
        entries=_product_entries,
        news=_product_news,
    ),
    "batches": Ledger(
        columns=(
            needed("number", _batch_number, "批号", "Batch", "Batch number"),
            PRODUCT,
            optional("produced_on", sheets.day, "生产日期", "Produced on"),
        ),
        model=BatchRow,
        natural=("sought", "product"),
        entries=_batch_entries,
        news=_no_news,
    ),
    "shipments": Ledger(
        columns=(
            needed("note", NUMBER, "发货单号", "Delivery note"),
            needed("batch", _batch_number, "批号", "Batch number"),
            PRODUCT,
            needed("shipped_on", sheets.day, "发货日期", "Shipped on"),
            needed("customer", NUMBER, "客户编号", "Customer number"),
            needed("market", NAME, "销售区域", "Market"),
            needed("quantity", sheets.whole, "数量", "Quantity"),
            needed("unit", sheets.choice(UNITS), "单位", "Unit"),
        ),
        model=ShipmentRow,
        natural=("batch", "note"),
        entries=_shipment_entries,
        news=_shipment_news,
    ),
}
"""What the command takes, by its name there."""
