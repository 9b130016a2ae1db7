"""Where goods came from, how much they are, and who may sell them where. Pure."""

import unicodedata
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from fractions import Fraction

from server.domain.goods.facts import (
    Accusation,
    Answer,
    Find,
    Licence,
    Line,
    Miss,
    Permit,
    Product,
    Proposal,
    Sale,
    Share,
    Shipment,
    Traced,
)

PIECE = "piece"
Products = Mapping[str, Product]
"""By what a line calls it."""
Dealers = Mapping[str, str]
"""Sub-dealer → the dealer above it."""


def batch_key(batch: str) -> str:
    """A batch number as people mean it: width, case, blanks and punctuation make no other one."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", batch).upper()))


def day_in(zone: tzinfo, at: datetime) -> date:
    """The day that ``at`` falls on where the clocks show ``zone``."""
    return at.astimezone(zone).date()


def to_pieces(quantity: int, unit: str, product: Product | None) -> Fraction | None:
    """X13: exactly so many pieces; None where the product or its unit is not known."""
    if unit == PIECE:
        return Fraction(quantity)
    per_piece = product.per_piece.get(unit) if product else None
    return Fraction(quantity) / per_piece if per_piece else None


def code_of(name: str, products: Products) -> str:
    """The code of what a line calls ``name``, or that name where the table does not have it."""
    product = products.get(name)
    return product.code if product else name


def pieces_by_product(lines: Iterable[Line], products: Products) -> dict[str, Fraction | None]:
    """X12, X13: pieces of each product, summed; None where a line of it cannot be counted."""
    summed: dict[str, Fraction | None] = {}
    for line in lines:
        code = code_of(line.product, products)
        pieces = to_pieces(line.quantity, line.unit, products.get(line.product))
        so_far = summed.get(code, Fraction(0))
        summed[code] = None if pieces is None or so_far is None else so_far + pieces
    return summed


def x13_dealer(customer: str, dealers: Dealers) -> str:
    """X13: who answers for ``customer``: the dealer above a sub-dealer, else itself."""
    seen: set[str] = set()
    while customer in dealers and customer not in seen:
        seen.add(customer)
        customer = dealers[customer]
    return customer


def x5_proposed_answers(
    batches: Iterable[str], shipments: Iterable[Shipment]
) -> tuple[Proposal, ...]:
    """X5: what the shipments say of each of ``batches``, summed by customer, market and unit."""
    shipped: dict[str, list[Shipment]] = defaultdict(list)
    for shipment in shipments:
        if shipment.quantity:
            shipped[batch_key(shipment.batch)].append(shipment)
    asked = {batch_key(batch): batch for batch in reversed(tuple(batches))}
    return tuple(
        Proposal(batch=batch, answers=tuple(_summed(batch, shipped[key])))
        for key, batch in reversed(asked.items())
    )


def _summed(batch: str, shipments: Sequence[Shipment]) -> Iterator[Answer]:
    grouped: dict[tuple[str, str, str, str], list[Shipment]] = defaultdict(list)
    for one in shipments:
        grouped[one.product, one.market, one.customer, one.unit].append(one)
    for (product, market, customer, unit), parts in sorted(grouped.items()):
        yield Answer(
            batch=batch,
            customer=customer,
            quantity=sum(one.quantity for one in parts),
            unit=unit,
            product=product,
            market=market,
            first_on=min(one.shipped_on for one in parts),
            last_on=max(one.shipped_on for one in parts),
        )


def x5_traced(
    lines: Iterable[Line], answers: Iterable[Answer], *, products: Products, dealers: Dealers
) -> tuple[Traced, ...]:
    """X5, X13: each line with its pieces and the dealers that answer for what was shipped."""
    shipped = [answer for answer in answers if answer.quantity > 0]
    return tuple(_traced(line, shipped, products.get(line.product), dealers) for line in lines)


def _traced(
    line: Line, shipped: Iterable[Answer], product: Product | None, dealers: Dealers
) -> Traced:
    sources: dict[str, list[Answer]] = defaultdict(list)
    for answer in shipped:
        if _is_about(answer, line, product):
            sources[x13_dealer(answer.customer, dealers)].append(answer)
    return Traced(
        line=line,
        pieces=to_pieces(line.quantity, line.unit, product),
        sources={dealer: tuple(sources[dealer]) for dealer in sorted(sources)},
    )


def _is_about(answer: Answer, line: Line, product: Product | None) -> bool:
    """Whether ``answer`` is of the batch of ``line``; products may share a batch number."""
    wanted = batch_key(line.batch or "")
    if not wanted or batch_key(answer.batch) != wanted:
        return False
    return product is None or answer.product is None or answer.product == product.code


def x5_accused(traced: Sequence[Traced]) -> Accusation:
    """X5: the one dealer that every batch which identifies a source leads to, with the numbers."""
    identified = {one.source for one in traced if one.source is not None}
    return Accusation(
        dealer=next(iter(identified)) if len(identified) == 1 else None,
        shares=x13_pieces(traced),
    )


def x13_pieces(traced: Sequence[Traced]) -> tuple[Share, ...]:
    """X13: pieces by source dealer, its sub-dealers and all its batches summed; most first."""
    dealers = sorted({dealer for one in traced for dealer in one.sources})
    shares = [_share(dealer, traced) for dealer in dealers]
    return tuple(sorted(shares, key=lambda share: (-share.pieces, -share.possible)))


def _share(dealer: str, traced: Sequence[Traced]) -> Share:
    own = [place for place, one in enumerate(traced) if one.source == dealer]
    shared = [
        place for place, one in enumerate(traced) if dealer in one.sources and place not in own
    ]
    certain = _sum(traced, own)
    return Share(
        dealer=dealer,
        pieces=certain,
        possible=certain + _sum(traced, shared),
        lines=tuple(own),
        shared_lines=tuple(shared),
        unconverted_lines=tuple(p for p in sorted(own + shared) if traced[p].pieces is None),
    )


def _sum(traced: Sequence[Traced], places: Iterable[int]) -> Fraction:
    return sum((traced[place].pieces or Fraction(0) for place in places), Fraction(0))


def x12_misses(permit: Permit, find: Find) -> tuple[Miss, ...]:
    """X12: why ``permit`` does not cover ``find``; empty where it does."""
    holds: dict[Miss, bool] = {
        "dealer": permit.dealer == find.dealer,
        "market": permit.market in find.regions,
        "product": find.pieces.keys() <= permit.pieces.keys(),
        "quantity": _is_enough(permit.pieces, find.pieces),
        "period": permit.start <= find.day <= permit.end,
        "made_later": permit.registered_at <= find.at,
    }
    return tuple(miss for miss, is_held in holds.items() if not is_held)


def _is_enough(
    allowed: Mapping[str, Fraction | None], found: Mapping[str, Fraction | None]
) -> bool:
    """Whether of each product that is allowed at all no more was found, as far as is known."""
    pairs = ((allowed[product], found[product]) for product in found.keys() & allowed.keys())
    return all(most is not None and have is not None and have <= most for most, have in pairs)


def x12_covering_permits(permits: Iterable[Permit], find: Find) -> tuple[Permit, ...]:
    """X12: the permits, made beforehand, that cover what was found."""
    return tuple(permit for permit in permits if not x12_misses(permit, find))


def k6_licence_at(licences: Iterable[Licence], sale: Sale) -> Licence | None:
    """K6: the licence valid on the day of the find, the newest of several; None: not licensed."""
    valid = [licence for licence in licences if _is_licensed(licence, sale)]
    return max(valid, key=lambda licence: (licence.start, licence.record), default=None)


def _is_licensed(licence: Licence, sale: Sale) -> bool:
    return (
        licence.dealer == sale.dealer
        and not licence.regions.isdisjoint(sale.regions)
        and sale.product in licence.products
        and licence.start <= sale.day <= licence.end
        and (licence.online_sales or not sale.online)
    )


def k6_end(start: date, months: int) -> date:
    """K6: the last day of a licence that runs ``months`` from ``start``."""
    year, month = _month(start, months)
    if start.day > monthrange(year, month)[1]:
        return date(year, month, monthrange(year, month)[1])
    return date(year, month, start.day) - timedelta(days=1)


def k6_renew_from(end: date, months: int) -> date:
    """K6: the day from which a renewal is proposed."""
    year, month = _month(end, -months)
    return date(year, month, min(end.day, monthrange(year, month)[1]))


def _month(day: date, months: int) -> tuple[int, int]:
    years, month = divmod(day.month - 1 + months, 12)
    return day.year + years, month + 1
