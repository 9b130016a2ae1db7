"""X15: prices below the list, decided by the region inside one centre, by the market across."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import insert

from server.db import transaction
from server.domain.cases.actions import follow_cases
from server.domain.goods.tables import GoodsNews, ProductRow
from server.errors import Problem
from server.people.principal import Role
from server.policy import Policy
from server.sync.feed import number_feed
from tests.company import Company
from tests.domain.disputes import HOUR, Dispute
from tests.domain.records import POLICY, photo
from tests.links import is_number


class Prices(Dispute):
    """A company whose prices are broken."""

    def report(self, *lines: dict[str, Any], **given: Any) -> str:
        """A report of Shanghai about so many lines, which the server has looked at."""
        told = {"affected_market": self.market, "found_at": "2026-03-02T09:00:00+08:00"}
        priced = {"lines": list(lines) or [line()], "currency": "CNY", **given}
        found = self.create(self.seller, "price_report", **told, **priced)
        self.follow()
        return found

    def follow(self, policy: Policy = POLICY) -> int:
        """The worker looks until there is nothing more to look at; how many looks that were."""
        store, sync, looked = self.company.store, self.company.services.sync, 0
        while number_feed(store) + (done := follow_cases(store, sync, policy)):
            looked += done
        return looked

    def sell(self, *products: dict[str, Any]) -> None:
        """Products of the company's table, as an import leaves them."""
        store = self.company.store
        with transaction(store):
            for product in products:
                store.execute(insert(ProductRow), product)
                named = (product["code"], product["name_zh"], product["name_en"])
                store.execute(insert(GoodsNews), [{"name": f"product:{name}"} for name in named])


@pytest.fixture
def prices(company: Company) -> Prices:
    """A company whose prices are broken."""
    return Prices(company)


def line(price: str = "79.99", **given: Any) -> dict[str, Any]:
    """Tea, found for so much a piece."""
    return {"product": "茶", "unit": "piece", "price_found": price, **given}


TEA = {
    "key": 1, "code": "T-1", "name_zh": "茶", "name_en": "Tea", "bottle": Decimal(12),
    "list_price": Decimal("80.00"), "currency": "CNY",
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "basis", "result"),
    [
        (line("79.99"), "table", "below"),
        (line("80.00"), "table", "not_below"),
        (line("80"), "table", "not_below"),
        (line("80.01"), "table", "not_below"),
        (line("6.66", unit="bottle"), "table", "below"),  # 79.92 of twelve
        (line("6.67", unit="bottle"), "table", "not_below"),  # 80.04 of twelve
        (line("1", unit="can"), "table", "unknown"),
        (line("1", list_price="90"), "table", "below"),
        (line("80", list_price="90"), "table", "not_below"),
        (line("1", product="新品"), "none", "unknown"),
        (line("1", product="新品", list_price="1.01"), "report", "below"),
        (line("1", product="新品", list_price="1"), "report", "not_below"),
    ],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_x15_a_price_is_held_against_the_list_to_the_last_cent(
    prices: Prices, found: dict[str, Any], basis: str, result: str
) -> None:
    prices.sell(TEA)
    report = prices.report(found)
    [told] = prices.data(report)["compared"]
    assert (told["basis"], told["result"]) == (basis, result)
    assert prices.data(report)["lines"] == [found]


def test_x15_the_table_proposes_the_list_price_also_when_the_product_is_entered_later(
    prices: Prices,
) -> None:
    report = prices.report(line(product="Tea"), line("6.50", unit="bottle"))
    assert [one["basis"] for one in prices.data(report)["compared"]] == ["none", "none"]
    prices.sell(TEA)
    prices.follow()
    by_piece, by_bottle = prices.data(report)["compared"]
    assert (by_piece["list_price"], by_piece["result"]) == ("80 CNY", "below")
    assert (by_bottle["per_piece"], by_bottle["result"]) == ("12", "below")
    assert prices.follow() == 0


def test_x15_prices_of_two_currencies_are_not_compared(prices: Prices) -> None:
    prices.sell(TEA)
    [told] = prices.data(prices.report(currency="USD"))["compared"]
    assert (told["list_price"], told["result"]) == ("80 CNY", "unknown")


def test_x15_inside_one_centre_the_region_decides_within_24_hours(prices: Prices) -> None:
    report = prices.report(source_market="杭州")
    assert prices.waiting(report) == [("region_manager", "intake", 24 * HOUR)]
    with pytest.raises(Problem) as refused:
        prices.decide(prices.officer, report, "accepted")
    assert refused.value.fields == {"verdict": "not_your_role"}
    prices.take(prices.manager, report, "accepted")
    assert prices.waiting(report) == [("region_manager", "facts", 72 * HOUR)]
    prices.take(prices.manager, report, "facts_verified")
    assert prices.waiting(report) == [("region_manager", "decision", 24 * HOUR)]
    prices.take(prices.manager, report, "upheld")
    assert (prices.state(report), prices.waiting(report)) == ("upheld", [])
    assert prices.data(report)["policy_version"] == POLICY.version


@pytest.mark.parametrize("source", ["广州", "无此市场", None])
def test_x15_across_centres_or_from_nobody_knows_where_the_market_department_decides_in_48_hours(
    prices: Prices, source: str | None
) -> None:
    report = prices.report(**({"source_market": source} if source else {}))
    assert prices.waiting(report) == [("market_officer", "intake", 24 * HOUR)]
    with pytest.raises(Problem) as refused:
        prices.decide(prices.manager, report, "accepted")
    assert refused.value.fields == {"verdict": "not_your_role"}
    prices.take(prices.officer, report, "accepted", "facts_verified")
    assert prices.waiting(report) == [("market_officer", "decision", 48 * HOUR)]
    prices.take(prices.officer, report, "dismissed")
    assert prices.state(report) == "dismissed"
    prices.take(prices.reviewer(Role.SALES_DIRECTOR, None), report, "reopened")
    assert prices.state(report) == "facts"


def test_x15_a_sales_alliance_counts_as_one_centre(prices: Prices) -> None:
    report = prices.report(source_market="广州")
    assert prices.state(report) == "submitted"
    allied = replace(POLICY.cases, alliances={"delta": ("上海", "广州")})
    prices.follow(replace(POLICY, version=POLICY.version + 1, cases=allied))
    assert prices.state(report) == "region_submitted"
    prices.follow()
    assert prices.state(report) == "submitted"


def test_x15_whose_report_it_is_follows_from_the_region_of_the_customer_that_it_names(
    prices: Prices,
) -> None:
    shop = prices.create(prices.seller, "customer", name="小店", customer_type="dealer")
    report = prices.report(seller_customer=shop, source_market="广州")
    assert prices.state(report) == "region_submitted"
    result = prices.send(
        prices.seller,
        {
            "action": "patch", "kind": "price_report", "record": report,
            "base": prices.record(report).version, "unset": ["seller_customer", "source_market"],
        },
    )  # fmt: skip
    assert result["outcome"] == "applied", result
    prices.follow()
    assert prices.state(report) == "submitted"
    assert "inside_centre" not in prices.data(report)


def test_x15_only_a_report_on_which_something_new_bears_is_looked_at(prices: Prices) -> None:
    quiet, sold = prices.report(line(product="咖啡")), prices.report()
    version = prices.record(quiet).version
    assert prices.follow() == 0
    prices.sell(TEA)
    assert prices.follow() == 1
    assert prices.data(sold)["compared"][0]["basis"] == "table"
    assert prices.record(quiet).version == version


def test_x15_a_report_goes_with_the_customer_that_it_names_to_another_centre(
    prices: Prices,
) -> None:
    shop = prices.create(prices.seller, "customer", name="小店", customer_type="dealer")
    report = prices.report(seller_customer=shop)
    assert prices.state(report) == "region_submitted"
    prices.server_writes(shop, region=prices.company.regions["guangzhou"])
    assert prices.follow() == 1
    assert prices.state(report) == "submitted"


def test_x2_x15_a_report_has_a_number_and_asks_for_photos_of_goods_and_price_alone(
    prices: Prices,
) -> None:
    report = prices.report()
    assert is_number(prices.data(report)["number"])
    assert prices.data(report)["missing_tags"] == ["goods", "price"]
    shot = photo(parent_kind="price_report", parent=report, tag="price", source="gallery")
    prices.create(prices.seller, "photo", **shot)
    assert prices.data(report)["missing_tags"] == ["goods"]
    assert prices.data(report)["flags"] == ["gallery"]


def test_x9_x15_a_report_is_sent_back_handed_in_by_a_supplement_and_taken_back(
    prices: Prices,
) -> None:
    report = prices.report()
    prices.take(prices.officer, report, "returned")
    assert prices.waiting(report) == [("rep", "mend", 72 * HOUR)]
    prices.create(prices.seller, "case_supplement", case=report, text="见价签照片")
    assert prices.state(report) == "submitted"
    prices.patch(prices.seller, report, withdrawal_reason="促销价，已核准")
    assert (prices.state(report), prices.waiting(report)) == ("withdrawn", [])
    version = prices.record(report).version
    prices.follow()
    assert prices.record(report).version == version


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"currency": "yuan"}, "currency"),
        ({"lines": []}, "lines"),
        ({"lines": [line("8,50")]}, "lines.0.price_found"),
        ({"lines": [{"product": "茶", "unit": "piece"}]}, "lines.0.price_found"),
        ({"inside_centre": True}, "inside_centre"),
    ],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_x15_money_is_an_exact_decimal_with_its_currency(
    prices: Prices, wrong: dict[str, Any], field: str
) -> None:
    told = {"affected_market": prices.market, "found_at": "2026-03-02T09:00:00+08:00"}
    values = {**told, "lines": [line()], "currency": "CNY", **wrong}
    result = prices.send(prices.seller, {"action": "create", "kind": "price_report", "set": values})
    assert list(result["problem"]["fields"]) == [field]
