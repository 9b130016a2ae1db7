"""The shape of a cross-region case (X1 to X9). Shapes only."""

from server.domain import shapes
from server.domain.cases.checks import POINTS, RESULTS
from server.domain.cases.machines import CROSS_REGION, TRACE
from server.domain.review.steps import Stepped
from server.domain.shapes import OFFICE, SERVER, Shape
from server.domain.vocabulary import CASE_FLAGS, PARTS, REVIEW_FLAGS, TAGS, UNITS


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
    arrived = shapes.integer("已收到", "Arrived")


class Asked(Shape):
    """X5: the trace of one batch, as its case remembers it."""

    trace = shapes.record_id("物流回复", "Trace", required=True)
    batch = shapes.text("批号", "Batch", limit=80, required=True)
    state = shapes.choice("状态", "State", TRACE.state_words(), required=True)


class Source(Shape):
    """X5, X13: what of the goods leads to one dealer, in pieces."""

    dealer = shapes.text("经销商", "Dealer", required=True)
    pieces = shapes.text("件数", "Pieces", limit=40, required=True)
    possible = shapes.text("可能件数", "Possible pieces", limit=40, required=True)


class Overridden(Shape):
    """X4: what a person says of a point against the machine, and why."""

    point = shapes.choice("核对项", "Point", POINTS, required=True)
    result = shapes.choice("结果", "Result", RESULTS, required=True)
    reason = shapes.text("理由", "Reason", limit=1000, required=True)
    by = shapes.key("修改人", "Overridden by", required=True)


class CheckPoint(Shape):
    """X4: one point of the machine's check, and what it rests on."""

    point = shapes.choice("核对项", "Point", POINTS, required=True)
    rule = shapes.text("规则", "Rule", limit=10, required=True)
    value = shapes.text("内容", "Value", limit=200)
    proof = shapes.listing("直接证据", "Direct proof", shapes.record_id("证据", "Proof"), most=400)
    result = shapes.choice("结果", "Result", RESULTS, required=True)
    override = shapes.inner("人工更正", "Overridden", Overridden)


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
    traces = shapes.listing(
        "物流查询", "Traces", shapes.inner("物流回复", "Trace", Asked), most=200, writers=SERVER
    )
    traces_answered = shapes.integer("已回复查询数", "Traces answered", writers=SERVER)
    sources = shapes.listing(
        "货源", "Sources", shapes.inner("货源", "Source", Source), most=200, writers=SERVER
    )
    check_points = shapes.listing(
        "系统核对", "Check", shapes.inner("核对项", "Point", CheckPoint), writers=SERVER
    )
    overrides = shapes.listing(
        "人工更正", "Overrides", shapes.inner("人工更正", "Override", Overridden),
        writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    derived_accused = shapes.text("推定被投诉方", "Accused by the traces", writers=SERVER)
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


class Shipped(Shape):
    """X5: what went to one customer out of a batch."""

    market = shapes.text("市场", "Market", limit=120)
    customer = shapes.text("客户", "Customer", required=True)
    quantity = shapes.integer("数量", "Quantity", required=True)
    unit = shapes.choice("单位", "Unit", UNITS, required=True)
    product = shapes.text("产品", "Product", limit=120)


class ShippedTo(Shape):
    """X5: the same as logistics types it: one customer among several."""

    market = shapes.text("市场", "Market", limit=120, required=True)
    customer = shapes.text("客户", "Customer", required=True)
    quantity = shapes.integer("数量", "Quantity", least=1, required=True)
    unit = shapes.choice("单位", "Unit", UNITS, required=True)


class BatchTrace(Stepped):
    """X5: the question to logistics about one batch, and the answer."""

    case = shapes.reference(
        "案件", "Case", "cross_region_case", required=True, rule="frozen", writers=SERVER
    )
    batch = shapes.text("批号", "Batch", limit=80, required=True, rule="frozen", writers=SERVER)
    asked_at = shapes.moment("查询时间", "Asked at", required=True, rule="frozen", writers=SERVER)
    verdict = shapes.choice(
        "回复", "Answer", TRACE.verdict_words(), writers=OFFICE, rule="authority", owner="office"
    )
    state = shapes.choice("状态", "State", TRACE.state_words(), writers=SERVER)
    case_over = shapes.yes_no("案件已结", "Its case is over", writers=SERVER)
    market = shapes.text(
        "发往市场", "Market", limit=120, writers=OFFICE, rule="authority", owner="office"
    )
    customer = shapes.text("发往客户", "Customer", writers=OFFICE, rule="authority", owner="office")
    quantity = shapes.integer(
        "发货数量", "Quantity", least=1, writers=OFFICE, rule="authority", owner="office"
    )
    unit = shapes.choice("单位", "Unit", UNITS, writers=OFFICE, rule="authority", owner="office")
    shipments = shapes.listing(
        "分别发往", "Shipped to each", shapes.inner("发货", "Shipped", ShippedTo),
        most=200, writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    proposed = shapes.listing(
        "发货记录", "Shipments on record", shapes.inner("发货", "Shipped", Shipped),
        most=500, writers=SERVER,
    )  # fmt: skip
    answers = shapes.listing(
        "发货去向", "Shipped to", shapes.inner("发货", "Shipped", Shipped), most=500, writers=SERVER
    )
    flags = shapes.flags(REVIEW_FLAGS)
