"""The shape of a cross-region case (X1 to X9). Shapes only."""

from server.domain import shapes
from server.domain.cases.machines import CROSS_REGION
from server.domain.review.steps import Stepped
from server.domain.shapes import OFFICE, SERVER, Shape
from server.domain.vocabulary import CASE_FLAGS, PARTS, TAGS, UNITS


class Line(Shape):
    """X1: goods of one batch; a missing batch number is decided at intake, not here."""

    product = shapes.text("产品", "Product", limit=120, required=True)
    batch = shapes.text("批号", "Batch", limit=80)
    quantity = shapes.integer("数量", "Quantity", least=1, required=True)
    unit = shapes.choice("单位", "Unit", UNITS, required=True)


class Unloading(Shape):
    """X4: a vehicle for one region's customer that unloaded on the way in another market."""

    at = shapes.moment("时间", "Time")
    place = shapes.text("地点", "Place")
    bound_for = shapes.text("目的地客户", "Bound for")
    facts = shapes.text("经过", "Facts", limit=2000)


class TagCount(Shape):
    """X2: how many photos show something."""

    tag = shapes.choice("内容标签", "Tag", TAGS, required=True)
    photos = shapes.integer("照片数", "Photos", required=True)


class SignedPart(Shape):
    """X3: a signature as its case remembers it."""

    signature = shapes.record_id("签名", "Signature", required=True)
    part = shapes.choice("身份", "Part", PARTS, required=True)
    customer = shapes.record_id("客户", "Customer")


class Rebuttals(Shape):
    """X6: what was handed in by the accused, as its case remembers it."""

    rebuttal = shapes.record_id("申诉", "Rebuttal", required=True)
    photos = shapes.integer("证据数", "Pieces of evidence", required=True)


class CrossRegionCase(Stepped):
    """X1: goods found where they do not belong."""

    number = shapes.text("案件编号", "Case number", limit=20, writers=SERVER)
    verdict = shapes.choice(
        "审核结论", "Verdict", CROSS_REGION.verdict_words(),
        writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    state = shapes.choice("状态", "State", CROSS_REGION.state_words(), writers=SERVER)
    withdrawal_reason = shapes.text("撤回理由", "Reason of withdrawal", limit=1000)
    inside_centre = shapes.yes_no("同一销售中心", "Inside one sales centre", writers=SERVER)
    rebuttals = shapes.listing(
        "申诉", "Rebuttals", shapes.inner("申诉", "Rebuttal", Rebuttals), most=200, writers=SERVER
    )
    rebuttal_over = shapes.yes_no("申诉期满", "Time to answer is over", writers=SERVER)

    affected_market = shapes.key("受影响市场", "Affected market", required=True, rule="frozen")
    accused = shapes.text("被投诉方", "Accused dealer")
    accused_customer = shapes.reference("被投诉客户", "Accused customer", "customer")
    source_market = shapes.text("来源市场", "Source market")
    finder = shapes.text("发现人", "Finder", limit=80)
    lines = shapes.listing(
        "货物明细", "Goods", shapes.inner("货物", "Line", Line), most=200, required=True
    )
    vehicle_plate = shapes.text("车牌号", "Vehicle plate", limit=40)
    place = shapes.text("发现地点", "Place", limit=300)
    found_at = shapes.moment("发现时间", "Found at", required=True)
    position = shapes.position("位置", "Position", rule="frozen")
    storage_place = shapes.text("存放地点", "Storage place", limit=300)
    price_found = shapes.decimal("发现价格", "Price found")
    currency = shapes.formed("币种", "Currency", "^[A-Z]{3}$", "format")
    reason = shapes.text("情况说明", "Reason", limit=4000)
    vehicle_unloading = shapes.inner("途中卸货", "Unloaded on the way", Unloading)
    missing_tags = shapes.listing(
        "缺少的照片", "Photos missing", shapes.choice("标签", "Tag", TAGS), writers=SERVER
    )
    tag_counts = shapes.listing(
        "照片统计", "Photos by tag", shapes.inner("标签", "Tag", TagCount), writers=SERVER
    )
    signed_by = shapes.listing(
        "已签名", "Signed by", shapes.choice("身份", "Part", PARTS), writers=SERVER
    )
    signatures = shapes.listing(
        "签名", "Signatures", shapes.inner("签名", "Signature", SignedPart),
        most=200, writers=SERVER,
    )  # fmt: skip
    flags = shapes.flags(CASE_FLAGS)
