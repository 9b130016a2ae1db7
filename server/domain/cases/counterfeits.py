"""The kind ``counterfeit_report`` (X10): taken in like a case, without the rule of quantity."""

from server.domain import shapes
from server.domain.cases import course, rules
from server.domain.cases.kinds import SEES_CASES
from server.domain.cases.machines import COUNTERFEIT
from server.domain.cases.schemas import Line, TagCount
from server.domain.declaration import kind_from_schema
from server.domain.numbers import say_number
from server.domain.positions import position_flags, with_flags
from server.domain.review.steps import Stepped, b2_step_errors, derive_steps, led_by
from server.domain.shapes import OFFICE, SERVER
from server.domain.vocabulary import CASE_FLAGS, TAGS
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind


class CounterfeitReport(Stepped):
    """X10: goods that are not what they say they are."""

    number = shapes.text("案件编号", "Case number", limit=20, writers=SERVER)
    verdict = shapes.choice(
        "审核结论", "Verdict", COUNTERFEIT.verdict_words(),
        writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    state = shapes.choice("状态", "State", COUNTERFEIT.state_words(), writers=SERVER)
    withdrawal_reason = shapes.text("撤回理由", "Reason of withdrawal", limit=1000)
    affected_market = shapes.key("受影响市场", "Affected market", required=True, rule="frozen")
    found_at = shapes.moment("发现时间", "Found at", required=True)
    lines = shapes.listing(
        "货物明细", "Goods", shapes.inner("货物", "Line", Line), most=200, required=True
    )
    seller = shapes.text("售假者", "Seller")
    place = shapes.text("发现地点", "Place", limit=300)
    position = shapes.position("位置", "Position", rule="frozen")
    packaging = shapes.text("包装情况", "Packaging", limit=2000)
    produced_at = shapes.text("标注产地", "Place of production", limit=300)
    price_found = shapes.decimal("发现价格", "Price found")
    currency = shapes.formed("币种", "Currency", "^[A-Z]{3}$", "format")
    reason = shapes.text("情况说明", "Reason", limit=4000)
    missing_tags = shapes.listing(
        "缺少的照片", "Photos missing", shapes.choice("标签", "Tag", TAGS), writers=SERVER
    )
    tag_counts = shapes.listing(
        "照片统计", "Photos by tag", shapes.inner("标签", "Tag", TagCount), writers=SERVER
    )
    flags = shapes.flags(CASE_FLAGS)


def counterfeit_report_kind(policy: Policy) -> RecordKind:
    """X10: for the market department at once, whatever the quantity."""

    def derive(change: Change, _parent: Data | None) -> Data:
        return derive_report(change, policy)

    def fold(report: Data, children: tuple[Change, ...]) -> Data:
        return fold_report(report, children, policy)

    return kind_from_schema(
        CounterfeitReport,
        "counterfeit_report",
        zh="假货",
        en="Counterfeit report",
        place=rules.x1_place,
        office_roles=SEES_CASES,
        check=lambda change, _parent: b2_step_errors(COUNTERFEIT, change),
        derive=derive,
        fold=fold,
        **led_by(COUNTERFEIT, policy),
        summary=("number", "affected_market", "seller", "found_at", "missing_tags", "flags"),
        label="number",
        numbered=say_number,
    )


def derive_report(change: Change, policy: Policy) -> Data:
    """The server's fields of a report that follow from its own data."""
    report = change.after
    counts = rules.x2_count(report, ())
    return derive_steps(
        COUNTERFEIT,
        change,
        policy=policy,
        when=course.conditions(policy, handed_in=course.is_mended(change)),
        found=position_flags(report.get("position"), policy.visits.position_age_minutes * 60),
        derived={"missing_tags": rules.x2_missing(counts, policy.cases.required_tags)},
    )


def fold_report(report: Data, children: tuple[Change, ...], policy: Policy) -> Data:
    """The server's fields of a report that follow from the photos beneath it."""
    told = {
        **course.tell_tags(report, children, policy),
        "flags": with_flags(report, course.gallery(children)),
    }
    return {**told, **course.settle(COUNTERFEIT, {**report, **told}, children, policy)}
