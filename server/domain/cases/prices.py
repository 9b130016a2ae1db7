"""The kind ``price_report`` (X15): a case about prices below the list."""

from server.domain import shapes
from server.domain.cases import course, rules
from server.domain.cases.kinds import SEES_CASES
from server.domain.cases.price_machine import PRICE
from server.domain.cases.pricing import BASES, RESULTS
from server.domain.cases.schemas import TagCount
from server.domain.declaration import kind_from_schema
from server.domain.numbers import say_number
from server.domain.positions import position_flags, with_flags
from server.domain.review.steps import Stepped, b2_step_errors, derive_steps, led_by
from server.domain.shapes import OFFICE, SERVER, Shape
from server.domain.vocabulary import CASE_FLAGS, TAGS, UNITS
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind

CURRENCY = "^[A-Z]{3}$"


class PriceLine(Shape):
    """X15: what one product was offered for; kept as typed, also where no table knows it."""

    product = shapes.text("产品", "Product", limit=120, required=True)
    unit = shapes.choice("单位", "Unit", UNITS, required=True)
    price_found = shapes.decimal("发现价格", "Price found", required=True)
    list_price = shapes.decimal("标价", "List price")


class Compared(Shape):
    """X15: the list price of the line at the same place, as the server found it."""

    product = shapes.text("产品", "Product", limit=120, required=True)
    list_price = shapes.text("标价", "List price", limit=40)
    per_piece = shapes.text("标价含单位数", "Units for it", limit=40)
    basis = shapes.choice("标价来源", "From", BASES, required=True)
    result = shapes.choice("对照结果", "Result", RESULTS, required=True)


class PriceReport(Stepped):
    """X15: goods offered below the list price."""

    number = shapes.text("案件编号", "Case number", limit=20, writers=SERVER)
    verdict = shapes.choice(
        "审核结论", "Verdict", PRICE.verdict_words(),
        writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    state = shapes.choice("状态", "State", PRICE.state_words(), writers=SERVER)
    withdrawal_reason = shapes.text("撤回理由", "Reason of withdrawal", limit=1000)
    affected_market = shapes.key("受影响市场", "Affected market", required=True, rule="frozen")
    found_at = shapes.moment("发现时间", "Found at", required=True)
    lines = shapes.listing(
        "价格明细", "Prices", shapes.inner("价格", "Line", PriceLine), most=200, required=True
    )
    currency = shapes.formed("币种", "Currency", CURRENCY, "format", required=True)
    seller = shapes.text("砸价方", "Who breaks the price")
    seller_customer = shapes.reference("砸价客户", "Customer who breaks it", "customer")
    source_market = shapes.text("来源市场", "Source market")
    place = shapes.text("发现地点", "Place", limit=300)
    position = shapes.position("位置", "Position", rule="frozen")
    reason = shapes.text("情况说明", "Reason", limit=4000)
    inside_centre = shapes.yes_no("同一销售中心", "Inside one sales centre", writers=SERVER)
    compared = shapes.listing(
        "价格对照", "Held against the list", shapes.inner("对照", "Line", Compared),
        most=200, writers=SERVER,
    )  # fmt: skip
    missing_tags = shapes.listing(
        "缺少的照片", "Photos missing", shapes.choice("标签", "Tag", TAGS), writers=SERVER
    )
    tag_counts = shapes.listing(
        "照片统计", "Photos by tag", shapes.inner("标签", "Tag", TagCount), writers=SERVER
    )
    flags = shapes.flags(CASE_FLAGS)


def price_report_kind(policy: Policy) -> RecordKind:
    """X15: for the region inside one sales centre, for the market department across."""

    def derive(change: Change, _parent: Data | None) -> Data:
        return derive_report(change, policy)

    def fold(report: Data, children: tuple[Change, ...]) -> Data:
        return fold_report(report, children, policy)

    return kind_from_schema(
        PriceReport,
        "price_report",
        zh="砸价",
        en="Price report",
        place=rules.x1_place,
        office_roles=SEES_CASES,
        check=lambda change, _parent: b2_step_errors(PRICE, change),
        derive=derive,
        fold=fold,
        **led_by(PRICE, policy),
        summary=("number", "affected_market", "seller", "found_at", "missing_tags", "flags"),
        label="number",
        numbered=say_number,
        findings=frozenset({"compared", "inside_centre"}),
    )


def derive_report(change: Change, policy: Policy) -> Data:
    """The server's fields of a report that follow from its own data."""
    report = change.after
    counts = rules.x2_count(report, ())
    return derive_steps(
        PRICE,
        change,
        policy=policy,
        when=course.conditions(policy, handed_in=course.is_mended(change)),
        found=position_flags(report.get("position"), policy.visits.position_age_minutes * 60),
        derived={"missing_tags": rules.x2_missing(counts, policy.cases.price_tags)},
    )


def fold_report(report: Data, children: tuple[Change, ...], policy: Policy) -> Data:
    """The server's fields of a report that follow from what is written beneath it."""
    told = {
        **course.tell_tags(report, children, policy),
        "missing_tags": rules.x2_missing(rules.x2_count(report, children), policy.cases.price_tags),
        "flags": with_flags(report, course.gallery(children)),
    }
    return {**told, **course.settle(PRICE, {**report, **told}, children, policy)}
