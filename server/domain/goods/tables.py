"""Tables of the company's master data and of the files that it came in."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Date,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
    cast,
    func,
    select,
    tuple_,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from server.db import Base, Moment, is_sqlite

Key = BigInteger().with_variant(Integer, "sqlite")


class Exact(TypeDecorator[Decimal]):
    """An exact decimal as its digits: SQLite knows only numbers that round."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _dialect: Dialect) -> str | None:
        """Writes the digits."""
        return None if value is None else f"{value.normalize():f}"

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Decimal | None:
        """Reads the digits."""
        return None if value is None else Decimal(value)


def among(
    session: Session, columns: Sequence[Any], wanted: Collection[tuple[Any, ...]]
) -> ColumnElement[bool]:
    """That ``columns`` together are one of ``wanted``.

    PostgreSQL plans a long list of pairs row by row, and two arrays at once.
    """
    if is_sqlite(session):
        return tuple_(*columns).in_(list(wanted))
    sides = zip(columns, zip(*wanted, strict=True), strict=True)
    arrays = (func.unnest(cast(list(side), ARRAY(column.type))) for column, side in sides)
    return tuple_(*columns).in_(select(*arrays))


class ProductRow(Base):
    """A product; each of the last four says how many of that unit make one piece (件)."""

    __tablename__ = "product"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name_zh: Mapped[str] = mapped_column(String(120), index=True)
    name_en: Mapped[str | None] = mapped_column(String(120), index=True)
    list_price: Mapped[Decimal | None] = mapped_column(Exact)
    currency: Mapped[str | None] = mapped_column(String(3))
    box: Mapped[Decimal | None] = mapped_column(Exact)
    bottle: Mapped[Decimal | None] = mapped_column(Exact)
    bag: Mapped[Decimal | None] = mapped_column(Exact)
    can: Mapped[Decimal | None] = mapped_column(Exact)


class BatchRow(Base):
    """What was produced of one product under one number; ``sought`` is what it is found by."""

    __tablename__ = "batch"
    __table_args__ = (UniqueConstraint("sought", "product"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    sought: Mapped[str] = mapped_column(String(80))
    product: Mapped[int] = mapped_column(ForeignKey("product.key"))
    number: Mapped[str] = mapped_column(String(80))
    produced_on: Mapped[date | None] = mapped_column(Date)


class ShipmentRow(Base):
    """X5: what one note shipped of a batch; ``customer`` is the company's number of it."""

    __tablename__ = "shipment"
    __table_args__ = (UniqueConstraint("batch", "note"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    batch: Mapped[int] = mapped_column(ForeignKey("batch.key"))
    note: Mapped[str] = mapped_column(String(80))
    shipped_on: Mapped[date] = mapped_column(Date)
    customer: Mapped[str] = mapped_column(String(80))
    market: Mapped[str] = mapped_column(ForeignKey("region.id"))
    quantity: Mapped[int] = mapped_column(BigInteger)
    unit: Mapped[str] = mapped_column(String(20))


class GoodsNews(Base):
    """A batch or product about which a file said something new, until who rests on it has looked.

    Its ``name`` is ``batch:`` with the number as it is sought, or ``product:`` with a code or name.
    """

    __tablename__ = "goods_news"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(140))


class ImportRun(Base):
    """One file that was taken in: who brought it, when, its SHA-256, and what it changed."""

    __tablename__ = "import_run"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    user: Mapped[str] = mapped_column(ForeignKey("app_user.id"))
    what: Mapped[str] = mapped_column(String(20))
    file: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int] = mapped_column(Integer)
    added: Mapped[int] = mapped_column(Integer)
    changed: Mapped[int] = mapped_column(Integer)
