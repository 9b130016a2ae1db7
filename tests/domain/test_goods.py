"""Where goods came from, how much they are, who may sell them where: the rules at their limits."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from server.domain.goods.facts import (
    Answer,
    Find,
    Licence,
    Line,
    Permit,
    Product,
    Sale,
    Shipment,
    Traced,
)
from server.domain.goods.rules import (
    batch_key,
    day_in,
    k6_end,
    k6_licence_at,
    k6_renew_from,
    pieces_by_product,
    to_pieces,
    x5_accused,
    x5_proposed_answers,
    x5_traced,
    x12_covering_permits,
    x12_misses,
    x13_dealer,
    x13_pieces,
)
from server.people.centres import RegionTree, centre_of, same_centre
from server.values import replace

TEA = Product(
    code="T-1",
    name_zh="茶",
    name_en="Tea",
    per_piece={"bottle": Fraction(12), "box": Fraction(5, 2), "bag": Fraction(3)},
)
PRODUCTS = {"Tea": TEA, "茶": TEA, "T-1": TEA}
SHANGHAI = ZoneInfo("Asia/Shanghai")


def line(quantity: int = 20, batch: str | None = "B1", **given: Any) -> Line:
    """A line of a case."""
    return Line(**{"product": "Tea", "unit": "piece", "quantity": quantity, "batch": batch} | given)


def answer(customer: str, batch: str = "B1", quantity: int = 100, **given: Any) -> Answer:
    """What logistics says of a batch."""
    return Answer(batch=batch, customer=customer, quantity=quantity, unit="piece", **given)


def traced(
    lines: list[Line], answers: list[Answer], dealers: dict[str, str] | None = None
) -> tuple[Traced, ...]:
    """The lines as the rules see them."""
    return x5_traced(lines, answers, products=PRODUCTS, dealers=dealers or {})


def shipment(customer: str = "A", quantity: int = 5, **given: Any) -> Shipment:
    """One shipment of batch B1."""
    told = {"batch": "B1", "product": "T-1", "market": "east", "unit": "piece"}
    day = given.pop("shipped_on", date(2026, 3, 1))
    return Shipment(**told | given, customer=customer, quantity=quantity, shipped_on=day)


@pytest.mark.parametrize("typed", ["l-2026/01 a", "Ｌ２０２６０１Ａ", " L 2026.01-A ", "L202601A"])
def test_x5_a_batch_number_is_the_same_however_it_is_typed(typed: str) -> None:
    assert batch_key(typed) == "L202601A"


def test_x5_what_the_shipments_hold_is_proposed_summed_by_customer() -> None:
    shipments = [
        shipment("A", 5),
        shipment("A", 7, shipped_on=date(2026, 3, 9), batch="b-1"),
        shipment("A", 1, unit="box"),
        shipment("B", 2),
        shipment("C", 9, batch="B2"),
    ]
    [proposal] = x5_proposed_answers(["B-1"], shipments)
    told = [(one.customer, one.quantity, one.unit) for one in proposal.answers]
    assert told == [("A", 1, "box"), ("A", 12, "piece"), ("B", 2, "piece")]
    summed = proposal.answers[1]
    assert (summed.first_on, summed.last_on) == (date(2026, 3, 1), date(2026, 3, 9))
    assert (proposal.batch, summed.batch, summed.market) == ("B-1", "B-1", "east")


def test_x5_a_batch_without_shipments_is_for_somebody_to_find_out() -> None:
    taken_back = shipment("A", 0)
    proposals = x5_proposed_answers(["B1", "b 1", "B9"], [taken_back])
    assert [(one.batch, one.answers) for one in proposals] == [("B1", ()), ("B9", ())]


def test_x5_one_dealer_behind_every_batch_is_accused() -> None:
    found = traced(
        [line(12, "B1"), line(8, "B2")], [answer("A"), answer("A", "b-2"), answer("Z", "B3")]
    )
    accusation = x5_accused(found)
    assert accusation.dealer == "A"
    assert [(one.dealer, one.pieces) for one in accusation.shares] == [("A", 20)]


def test_x5_a_batch_that_leads_to_two_dealers_identifies_none() -> None:
    found = traced([line(20)], [answer("A"), answer("B")])
    accusation = x5_accused(found)
    assert (accusation.dealer, found[0].source) == (None, None)
    assert [(one.dealer, one.pieces, one.possible, one.shared_lines) for one in accusation.shares] \
        == [("A", 0, 20, (0,)), ("B", 0, 20, (0,))]  # fmt: skip


def test_x5_one_clear_batch_accuses_beside_one_that_leads_to_two_dealers() -> None:
    lines = [line(19, "B1"), line(1, "B2")]
    accusation = x5_accused(traced(lines, [answer("A"), answer("A", "B2"), answer("B", "B2")]))
    assert accusation.dealer == "A"
    first, second = accusation.shares
    assert (first.pieces, first.possible, first.lines, first.shared_lines) == (19, 20, (0,), (1,))
    assert (second.dealer, second.pieces, second.possible) == ("B", 0, 1)


def test_x5_batches_of_two_dealers_accuse_nobody_alone() -> None:
    accusation = x5_accused(traced([line(), line(batch="B2")], [answer("A"), answer("B", "B2")]))
    assert accusation.dealer is None
    assert [share.dealer for share in accusation.shares] == ["A", "B"]


@pytest.mark.parametrize("batch", [None, "", " - ", "B9"])
def test_x5_a_line_without_a_traced_batch_leads_nowhere(batch: str | None) -> None:
    [found] = traced([line(batch=batch)], [answer("A"), answer("A", batch="")])
    assert (found.sources, x5_accused([found]).dealer) == ({}, None)


def test_x5_an_answer_that_nothing_was_shipped_leads_nowhere() -> None:
    assert traced([line()], [answer("A", quantity=0), answer("B", quantity=1)])[0].source == "B"


def test_x5_products_that_share_a_batch_number_are_told_apart() -> None:
    answers = [answer("A", product="T-1"), answer("B", product="T-2")]
    assert traced([line(product="茶")], answers)[0].source == "A"
    assert traced([line(product="unheard of")], answers)[0].source is None
    assert traced([line()], [answer("A", product=None)])[0].source == "A"


@pytest.mark.parametrize(
    ("quantity", "unit", "pieces"),
    [
        (239, "bottle", Fraction(239, 12)),
        (240, "bottle", Fraction(20)),
        (1, "bag", Fraction(1, 3)),
        (50, "box", Fraction(20)),
        (20, "piece", Fraction(20)),
        (20, "can", None),
    ],
)
def test_x13_quantities_become_pieces_exactly(
    quantity: int, unit: str, pieces: Fraction | None
) -> None:
    assert to_pieces(quantity, unit, TEA) == pieces


def test_x13_thirds_of_a_piece_add_up_to_whole_ones() -> None:
    [share] = x13_pieces(traced([line(1, unit="bag")] * 60, [answer("A")]))
    assert share.pieces == 20


def test_x12_x13_pieces_of_a_product_are_summed_as_far_as_each_line_can_be_counted() -> None:
    lines = [line(12, unit="bottle"), line(2, product="茶"), line(3, product="面")]
    assert pieces_by_product(lines, PRODUCTS) == {"T-1": 3, "面": 3}
    unknown = line(1, unit="can")
    for mixed in ([unknown, *lines], [*lines, unknown]):
        assert pieces_by_product(mixed, PRODUCTS) == {"T-1": None, "面": 3}


def test_x13_an_unknown_product_is_counted_in_pieces_only() -> None:
    assert to_pieces(7, "piece", None) == 7
    assert to_pieces(7, "bottle", None) is None


@pytest.mark.parametrize(("second", "pieces"), [(9, 19), (10, 20), (11, 21)])
def test_x13_two_sub_dealers_of_one_dealer_are_summed(second: int, pieces: int) -> None:
    lines = [line(10, "B1"), line(second, "B2")]
    found = traced(lines, [answer("s1"), answer("s2", "B2")], {"s1": "A", "s2": "A"})
    [share] = x13_pieces(found)
    assert (share.dealer, share.pieces, x5_accused(found).dealer) == ("A", pieces, "A")


def test_x13_a_batch_that_went_to_two_sub_dealers_of_one_dealer_leads_to_one() -> None:
    [found] = traced([line()], [answer("s1"), answer("s2")], {"s1": "A", "s2": "A"})
    assert found.source == "A"
    assert [one.customer for one in found.sources["A"]] == ["s1", "s2"]


def test_x13_whoever_holds_most_of_the_goods_comes_first() -> None:
    lines = [line(3, "B1"), line(4, "B2"), line(5, "B3", unit="can")]
    answers = [answer("A"), answer("B", "B2"), answer("B", "B3")]
    first, second = x13_pieces(traced(lines, answers))
    assert (first.dealer, first.pieces, first.lines) == ("B", 4, (1, 2))
    assert (first.unconverted_lines, second.unconverted_lines) == ((2,), ())


def test_x13_a_dealer_is_found_above_several_sub_dealers_and_a_ring_ends() -> None:
    assert x13_dealer("s", {"s": "t", "t": "A"}) == "A"
    assert x13_dealer("A", {"s": "A"}) == "A"
    assert x13_dealer("s", {"s": "t", "t": "s"}) == "s"


PERMIT = Permit(
    record="p",
    dealer="A",
    market="hangzhou",
    pieces={"T-1": Fraction(20)},
    start=date(2026, 3, 1),
    end=date(2026, 3, 31),
    registered_at=datetime(2026, 3, 5, 9, tzinfo=UTC),
)
FIND = Find(
    dealer="A",
    regions=frozenset({"country", "east", "hangzhou"}),
    pieces={"T-1": Fraction(20)},
    at=datetime(2026, 3, 5, 9, tzinfo=UTC),
    day=date(2026, 3, 5),
)


def test_x12_a_permit_made_beforehand_covers_a_find() -> None:
    assert x12_covering_permits([PERMIT], FIND) == (PERMIT,)
    wider = replace(PERMIT, market="east")
    assert x12_covering_permits([wider], FIND) == (wider,)


@pytest.mark.parametrize(
    ("change", "miss"),
    [
        ({"dealer": "B"}, "dealer"),
        ({"market": "guangzhou"}, "market"),
        ({"pieces": {"T-2": Fraction(99)}}, "product"),
        ({"pieces": {"T-1": Fraction(59, 3)}}, "quantity"),
        ({"pieces": {"T-1": None}}, "quantity"),
        ({"end": date(2026, 3, 4)}, "period"),
        ({"start": date(2026, 3, 6)}, "period"),
        ({"registered_at": datetime(2026, 3, 5, 9, 0, 1, tzinfo=UTC)}, "made_later"),
    ],
)
def test_x12_what_keeps_a_permit_from_covering_is_named(change: Any, miss: str) -> None:
    permit = replace(PERMIT, **change)
    assert x12_misses(permit, FIND) == (miss,)
    assert x12_covering_permits([permit], FIND) == ()


@pytest.mark.parametrize("day", [date(2026, 3, 5), date(2026, 3, 1)])
def test_x12_the_first_and_the_last_day_of_a_permit_count(day: date) -> None:
    assert x12_misses(replace(PERMIT, start=day, end=day), replace(FIND, day=day)) == ()


def test_x12_every_product_that_was_found_must_be_permitted() -> None:
    both = {"T-1": Fraction(20), "T-2": Fraction(1)}
    assert x12_misses(PERMIT, replace(FIND, pieces=both)) == ("product",)
    assert x12_misses(replace(PERMIT, pieces=both), FIND) == ()


def test_x12_goods_that_cannot_be_counted_are_not_said_to_be_within_a_permit() -> None:
    assert x12_misses(PERMIT, replace(FIND, pieces={"T-1": None})) == ("quantity",)


def test_x12_a_permit_that_ends_the_day_before_the_markets_midnight_does_not_cover() -> None:
    permit = replace(PERMIT, end=date(2026, 3, 5))
    for moment, misses in ((59, ()), (60, ("period",))):
        at = datetime(2026, 3, 5, 15 + moment // 60, moment % 60, tzinfo=UTC)
        assert x12_misses(permit, replace(FIND, at=at, day=day_in(SHANGHAI, at))) == misses


LICENCE = Licence(
    record="l",
    dealer="A",
    regions=frozenset({"east"}),
    products=frozenset({"T-1"}),
    start=date(2026, 1, 1),
    end=date(2026, 12, 31),
)
SALE = Sale(
    dealer="A",
    regions=frozenset({"country", "east", "hangzhou"}),
    product="T-1",
    day=date(2026, 3, 5),
)


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, True),
        ({"day": date(2026, 1, 1)}, True),
        ({"day": date(2026, 12, 31)}, True),
        ({"day": date(2025, 12, 31)}, False),
        ({"day": date(2027, 1, 1)}, False),
        ({"dealer": "B"}, False),
        ({"regions": frozenset({"country", "south"})}, False),
        ({"product": "T-2"}, False),
        ({"online": True}, False),
    ],
)
def test_k6_a_licence_holds_on_the_day_of_the_find_for_its_regions_and_products(
    change: Any, held: bool
) -> None:
    assert (k6_licence_at([LICENCE], replace(SALE, **change)) is not None) == held


def test_k6_online_sales_need_a_licence_that_allows_them() -> None:
    online = replace(LICENCE, online_sales=True)
    assert k6_licence_at([online], replace(SALE, online=True)) == online
    assert k6_licence_at([online], SALE) == online


def test_k6_of_two_licences_the_newest_that_had_begun_counts() -> None:
    newer = replace(LICENCE, record="m", start=date(2026, 3, 1))
    future = replace(LICENCE, record="n", start=date(2026, 3, 6))
    assert k6_licence_at([newer, LICENCE, future], SALE) == newer


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 1, 1), date(2026, 12, 31)),
        (date(2026, 3, 1), date(2027, 2, 28)),
        (date(2027, 3, 1), date(2028, 2, 29)),
        (date(2028, 2, 29), date(2029, 2, 28)),
        (date(2026, 2, 28), date(2027, 2, 27)),
        (date(2026, 12, 15), date(2027, 12, 14)),
    ],
)
def test_k6_a_licence_runs_a_year_where_nothing_else_is_said(start: date, end: date) -> None:
    assert k6_end(start, 12) == end


@pytest.mark.parametrize(
    ("end", "renew"),
    [
        (date(2026, 12, 31), date(2026, 9, 30)),
        (date(2027, 2, 28), date(2026, 11, 28)),
        (date(2026, 5, 31), date(2026, 2, 28)),
        (date(2028, 5, 31), date(2028, 2, 29)),
        (date(2027, 1, 1), date(2026, 10, 1)),
    ],
)
def test_k6_a_renewal_is_proposed_three_months_before_the_end(end: date, renew: date) -> None:
    assert k6_renew_from(end, 3) == renew


TREE = RegionTree(
    paths={
        "root": ("root",),
        "east": ("root", "east"),
        "shanghai": ("root", "east", "shanghai"),
        "pudong": ("root", "east", "shanghai", "pudong"),
        "hangzhou": ("root", "east", "hangzhou"),
        "south": ("root", "south"),
        "guangzhou": ("root", "south", "guangzhou"),
        "shenzhen": ("root", "south", "shenzhen"),
    },
    levels={"root": "company", "east": "sales_centre", "south": "sales_centre"}
    | dict.fromkeys(("shanghai", "pudong", "hangzhou", "guangzhou", "shenzhen"), "market"),
    names={"上海": frozenset({"shanghai"}), "南": frozenset({"guangzhou", "shenzhen"})},
)


@pytest.mark.parametrize(
    ("a", "b", "alliances", "same"),
    [
        ("shanghai", "hangzhou", [], True),
        ("pudong", "east", [], True),
        ("shanghai", "guangzhou", [], False),
        ("root", "shanghai", [], False),
        ("root", "root", [], False),
        ("nowhere", "nowhere", [], False),
        ("shanghai", "guangzhou", [{"上海", "guangzhou"}], True),
        ("pudong", "guangzhou", [{"上海", "guangzhou"}], True),
        ("hangzhou", "guangzhou", [{"上海", "guangzhou"}], False),
        ("shanghai", "guangzhou", [{"shanghai"}, {"guangzhou"}], False),
        ("shanghai", "guangzhou", [{"上海", "南"}], False),
        ("shanghai", "shenzhen", [{"east", "south"}], True),
    ],
)
def test_one_sales_centre_or_one_alliance_makes_two_markets_one(
    a: str, b: str, alliances: list[set[str]], same: bool
) -> None:
    assert same_centre(TREE, alliances, a, b, level="sales_centre") == same
    assert same_centre(TREE, alliances, b, a, level="sales_centre") == same


def test_the_nearest_region_of_the_level_is_the_centre() -> None:
    assert centre_of(TREE, "pudong", level="sales_centre") == "east"
    assert centre_of(TREE, "east", level="sales_centre") == "east"
    assert centre_of(TREE, "pudong", level="market") == "pudong"
    assert centre_of(TREE, "root", level="sales_centre") is None
