"""What the rules about goods are told and answer, as values. No rules, no tables."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from server.values import Value


class Product(Value, frozen=True):
    """A product of the company."""

    code: str
    name_zh: str
    name_en: str
    per_piece: Mapping[str, Fraction]
    """Unit → how many of it make one piece (件)."""
    list_price: Decimal | None = None
    """Of one piece."""
    currency: str | None = None


class Shipment(Value, frozen=True):
    """What one note of the company says that it shipped of a batch."""

    batch: str
    product: str
    """Its code."""
    market: str
    customer: str
    """The record of the customer, or its number where no record holds it."""
    quantity: int
    unit: str
    shipped_on: date


class Answer(Value, frozen=True):
    """X5: what went to one customer out of a batch, as logistics says or is proposed to say."""

    batch: str
    customer: str
    quantity: int
    unit: str
    product: str | None = None
    """Its code; None: said of the batch, whatever the product."""
    market: str | None = None
    first_on: date | None = None
    last_on: date | None = None


class Proposal(Value, frozen=True):
    """X5: what the shipments say of a batch; no answers: somebody has to find out."""

    batch: str
    answers: tuple[Answer, ...]


class Line(Value, frozen=True):
    """X1: goods of one batch that were found, as the form has them."""

    product: str
    quantity: int
    unit: str
    batch: str | None = None


class Traced(Value, frozen=True):
    """X5, X13: a line, how much it is, and the dealers that its batch leads to."""

    line: Line
    pieces: Fraction | None
    """None where the product or its unit is not known."""
    sources: Mapping[str, tuple[Answer, ...]]
    """Dealer → the answers that lead to it or to its sub-dealers."""

    @property
    def source(self) -> str | None:
        """The dealer that the batch identifies: the only one it was shipped to."""
        return next(iter(self.sources)) if len(self.sources) == 1 else None


class Share(Value, frozen=True):
    """X13: what of the goods found leads to one dealer; lines by their place in the form."""

    dealer: str
    pieces: Fraction
    """Of the lines whose batches lead to this dealer alone."""
    possible: Fraction
    """With those whose batches lead to others too."""
    lines: tuple[int, ...]
    shared_lines: tuple[int, ...]
    """Their batches lead to others too."""
    unconverted_lines: tuple[int, ...]
    """Of both; they cannot be counted in pieces."""


class Accusation(Value, frozen=True):
    """X5: whom the answers accuse, with the numbers behind it."""

    dealer: str | None
    """None where no batch identifies a source, or they identify several."""
    shares: tuple[Share, ...]


class Licence(Value, frozen=True):
    """K6: where a dealer may sell what; both days count."""

    record: str
    dealer: str
    regions: frozenset[str]
    products: frozenset[str]
    start: date
    end: date
    online_sales: bool = False


class Sale(Value, frozen=True):
    """K6: what a licence is asked about."""

    dealer: str
    regions: frozenset[str]
    """The market and all regions above it."""
    product: str
    day: date
    """In the zone of the market."""
    online: bool = False


class Permit(Value, frozen=True):
    """X12: goods that a dealer may take into another market; both days count."""

    record: str
    dealer: str
    market: str
    pieces: Mapping[str, Fraction | None]
    """Product → how much in pieces; None where that cannot be said."""
    start: date
    end: date
    registered_at: datetime
    """When the server received it."""


class Find(Value, frozen=True):
    """X12: what was found, as far as a permit is asked about it."""

    dealer: str
    regions: frozenset[str]
    """The market and all regions above it."""
    pieces: Mapping[str, Fraction | None]
    """Product → how much in pieces; None where that cannot be said."""
    at: datetime
    day: date
    """In the zone of the market."""


Miss = Literal["dealer", "market", "product", "quantity", "period", "made_later"]
"""X12: what keeps a permit from covering a find."""
