"""X15: prices that were found, held against the list, exactly. A person judges. Pure."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from server.domain.goods.facts import Product
from server.domain.goods.rules import PIECE, Products
from server.sync.kinds import Data
from server.values import Value

Result = Literal["below", "not_below", "unknown"]

RESULTS = {
    "below": ("低于标价", "Below the list"),
    "not_below": ("不低于标价", "Not below the list"),
    "unknown": ("无法比较", "Cannot be compared"),
}
BASES = {
    "table": ("产品目录", "Table of products"),
    "report": ("填报", "As reported"),
    "none": ("无标价", "No list price known"),
}
"""Whose list price it is; what a report says counts only where the table says nothing."""


class Listed(Value, frozen=True):
    """A list price, of ``per_piece`` units together."""

    basis: Literal["table", "report"]
    price: Decimal
    currency: str
    per_piece: Fraction | None
    """How many units of the line make what the price is for; None: nobody knows."""


def x15_compare(report: Data, products: Products) -> list[dict[str, Any]]:
    """X15: for each line of ``report``, in order, its list price, and whether it is below that."""
    currency = str(report["currency"])
    return [_compare(line, currency, products.get(line["product"])) for line in report["lines"]]


def _compare(line: Data, currency: str, product: Product | None) -> dict[str, Any]:
    listed = x15_list_price(line, currency, product)
    if listed is None:
        return {"product": line["product"], "basis": "none", "result": "unknown"}
    together = listed.per_piece not in {None, Fraction(1)}
    return {
        "product": line["product"],
        "list_price": f"{listed.price:f} {listed.currency}",
        **({"per_piece": str(listed.per_piece)} if together else {}),
        "basis": listed.basis,
        "result": x15_result(line["price_found"], currency, listed),
    }


def x15_list_price(line: Data, currency: str, product: Product | None) -> Listed | None:
    """X15: the table's price of one piece, else what the report says of one unit."""
    if product and product.list_price is not None and product.currency:
        return Listed(
            basis="table",
            price=product.list_price,
            currency=product.currency,
            per_piece=_per_piece(line["unit"], product),
        )
    if "list_price" in line:
        price = Decimal(line["list_price"])
        return Listed(basis="report", price=price, currency=currency, per_piece=Fraction(1))
    return None


def _per_piece(unit: str, product: Product) -> Fraction | None:
    return Fraction(1) if unit == PIECE else product.per_piece.get(unit)


def x15_result(price_found: str, currency: str, listed: Listed) -> Result:
    """X15: below the list or not, to the last cent; the list price itself is not below it."""
    if currency != listed.currency or listed.per_piece is None:
        return "unknown"
    whole = Fraction(price_found) * listed.per_piece
    return "below" if whole < Fraction(listed.price) else "not_below"


def x15_products(reports: Iterable[Data]) -> Iterator[str]:
    """The products that ``reports`` name, as they call them."""
    return (line["product"] for report in reports for line in report["lines"])
