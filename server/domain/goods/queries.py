"""What the rules about goods ask: the company's tables, and licences and permits as records.

Reads only. Who may see a case is asked elsewhere; these facts are the company's own.
"""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server.clock import from_wire
from server.domain.goods.facts import Licence, Line, Permit, Product, Shipment
from server.domain.goods.rules import (
    PIECE,
    Dealers,
    Products,
    batch_key,
    code_of,
    pieces_by_product,
)
from server.domain.goods.tables import BatchRow, ProductRow, ShipmentRow
from server.domain.vocabulary import UNITS
from server.sync import queries
from server.sync.kinds import Data, Registry
from server.sync.queries import StoredRecord

CUSTOMER = "customer"
DEEPEST = 5
"""X13: levels of sub-dealers."""


def find_products(session: Session, names: Iterable[str]) -> dict[str, Product]:
    """X13: products by what they are called in ``names``: a code, or a name in either language.

    What names none, or several, is left out.
    """
    wanted = sorted(set(names))
    called = (ProductRow.code, ProductRow.name_zh, ProductRow.name_en)
    found = list(session.scalars(select(ProductRow).where(or_(*(c.in_(wanted) for c in called)))))
    by_code = {row.code: row for row in found}
    told: dict[str, Product] = {}
    for name in wanted:
        same = [row for row in found if name in (row.name_zh, row.name_en)]
        row = by_code.get(name) or (same[0] if len(same) == 1 else None)
        if row is not None:
            told[name] = _product(row)
    return told


def _product(row: ProductRow) -> Product:
    units = {unit: getattr(row, unit) for unit in UNITS if unit != PIECE}
    return Product(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en or row.name_zh,
        per_piece={unit: Fraction(many) for unit, many in units.items() if many is not None},
        list_price=row.list_price,
        currency=row.currency,
    )


def shipments_of(session: Session, registry: Registry, batches: Iterable[str]) -> list[Shipment]:
    """X5: what was shipped of ``batches``, whatever their product, the earliest first."""
    wanted = sorted({batch_key(batch) for batch in batches} - {""})
    rows = session.execute(
        select(ShipmentRow, BatchRow.number, ProductRow.code)
        .join(BatchRow, BatchRow.key == ShipmentRow.batch)
        .join(ProductRow, ProductRow.key == BatchRow.product)
        .where(BatchRow.sought.in_(wanted))
        .order_by(ShipmentRow.shipped_on, ShipmentRow.key)
    ).all()
    records = find_customers(session, registry, {row.customer for row, _number, _code in rows})
    return [
        Shipment(
            batch=number,
            product=code,
            market=row.market,
            customer=records.get(row.customer, row.customer),
            quantity=row.quantity,
            unit=row.unit,
            shipped_on=row.shipped_on,
        )
        for row, number, code in rows
    ]


def find_customers(session: Session, registry: Registry, numbers: Iterable[str]) -> dict[str, str]:
    """K1: the records of customers by the company's number of them."""
    kind = registry.kinds[CUSTOMER]
    return queries.holders(session, kind, {number: {"number": number} for number in numbers})


def dealers_above(session: Session, customers: Iterable[str]) -> Dealers:
    """X13: customer → who stands above it, for ``customers`` and all above them."""
    above: dict[str, str] = {}
    asked = set(customers)
    for _level in range(DEEPEST):
        found = queries.find_records(session, asked)
        fresh = {record: dealer for record, one in found.items() if (dealer := _above(one.data))}
        above |= fresh
        asked = set(fresh.values()) - set(above)
        if not asked:
            break
    return above


def _above(customer: Data) -> str | None:
    """A dealer answers for itself, whatever its file says besides."""
    return None if customer.get("customer_type") == "dealer" else customer.get("dealer")


def licences_of(session: Session, dealer: str) -> list[Licence]:
    """K6: the licences of a dealer; products by their codes where the table has them."""
    records = queries.children(session, dealer, "licence")
    named = (name for one in records for name in one.data["products"])
    products = find_products(session, named)
    return [_licence(one, products) for one in records]


def _licence(record: StoredRecord, products: Products) -> Licence:
    data = record.data
    last = min(data["end"], data.get("ended_on", data["end"]))
    return Licence(
        record=record.id,
        dealer=data["dealer"],
        regions=frozenset(data["regions"]),
        products=frozenset(code_of(name, products) for name in data["products"]),
        start=date.fromisoformat(data["start"]),
        end=date.fromisoformat(last),
        online_sales=data["online_sales"],
    )


def permits_of(session: Session, dealer: str) -> list[Permit]:
    """X12: the permits of a dealer; products by their codes where the table has them."""
    records = queries.children(session, dealer, "permit")
    named = (line["product"] for one in records for line in one.data["lines"])
    products = find_products(session, named)
    return [_permit(one, products) for one in records]


def _permit(record: StoredRecord, products: Products) -> Permit:
    data = record.data
    lines = (
        Line(product=line["product"], quantity=line["quantity"], unit=line["unit"])
        for line in data["lines"]
    )
    return Permit(
        record=record.id,
        dealer=data["dealer"],
        market=data["market"],
        pieces=pieces_by_product(lines, products),
        start=date.fromisoformat(data["start"]),
        end=date.fromisoformat(data["end"]),
        registered_at=from_wire(record.created_at),
    )
