"""The shapes of faults (F1), returns (F5), incidents (F3, F4) and surveys (F7). Shapes only."""

from server.domain import shapes
from server.domain.faults.machines import FAULT, GOODS_RETURN, INCIDENT
from server.domain.review.steps import Stepped
from server.domain.shapes import OFFICE, SERVER, Shape
from server.domain.vocabulary import REVIEW_FLAGS, UNITS

WARRANTIES = {
    "within": ("保修期内", "Within warranty"),
    "over": ("已过保修期", "Over"),
    "unknown": ("不详", "Not known"),
}
URGENCIES = {"normal": ("一般", "Normal"), "urgent": ("紧急", "Urgent")}
INCIDENT_TYPES = {
    "complaint_met": ("当面投诉", "Complaint, met in person"),
    "inspection": ("抽检", "Inspection by an authority"),
    "press": ("媒体", "Press"),
    "complaint": ("投诉", "Complaint"),
    "inquiry": ("咨询", "Inquiry"),
    "suggestion": ("建议", "Suggestion"),
}
CLASSES = {
    "service": ("一类：服务原因", "Class 1: our service"),
    "product": ("二类：产品原因", "Class 2: the product"),
    "outside": ("三类：外部原因", "Class 3: outside causes"),
}
FIELD_FLAGS = {
    "made_late": ("超时上报", "Made late"),
    "arrived_late": ("按时填写，迟到服务器", "Made in time, arrived late"),
    "time_uncertain": ("时间无法确定", "Time not certain"),
}
"""X8: what is remarkable about a field term."""


class Disposed(Shape):
    """F5: what one return says of its goods, as its fault remembers it."""

    record = shapes.record_id("单据", "Return", required=True)
    received = shapes.integer("收回数量", "Received", required=True)
    exchanged = shapes.integer("换货数量", "Exchanged", required=True)
    issued = shapes.integer("发出配件", "Issued", required=True)
    sent_back = shapes.integer("寄回数量", "Sent back", required=True)
    scrapped = shapes.integer("报废数量", "Scrapped", required=True)


class ProductFault(Stepped):
    """F1: what is wrong with which goods of which customer."""

    customer = shapes.reference("客户", "Customer", "customer", required=True, rule="frozen")
    product = shapes.text("产品", "Product", limit=120, required=True)
    batch = shapes.text("批号", "Batch", limit=80)
    quantity = shapes.integer("数量", "Quantity", least=1, required=True)
    unit = shapes.choice("单位", "Unit", UNITS, required=True)
    symptom = shapes.text("故障现象", "Symptom", limit=4000, required=True)
    found_at = shapes.moment("发现时间", "Found at", required=True)
    warranty = shapes.choice("保修状态", "Warranty", WARRANTIES)
    urgency = shapes.choice("紧急程度", "Urgency", URGENCIES)
    withdrawal_reason = shapes.text("撤回原因", "Why withdrawn", limit=2000)
    verdict = shapes.choice(
        "处理", "Step", FAULT.verdict_words(), writers=OFFICE, rule="authority", owner="office"
    )
    opinion = shapes.text(
        "总经理意见", "Opinion", limit=4000, writers=OFFICE, rule="authority", owner="office"
    )
    suggestion = shapes.text(
        "区域经理建议", "Region manager's suggestion", limit=4000, writers=OFFICE
    )
    state = shapes.choice("状态", "State", FAULT.state_words(), writers=SERVER)
    disposed = shapes.listing(
        "退换记录", "Returns", shapes.inner("退换", "Return", Disposed), most=500, writers=SERVER
    )
    flags = shapes.flags(REVIEW_FLAGS)


class GoodsReturn(Stepped):
    """F5: what came back of a fault's goods, and what became of it."""

    fault = shapes.reference("质量问题", "Fault", "product_fault", required=True, rule="frozen")
    received = shapes.integer("收回数量", "Received")
    exchanged = shapes.integer("换货数量", "Exchanged")
    issued = shapes.integer("发出配件", "Issued")
    sent_back = shapes.integer("寄回数量", "Sent back")
    scrapped = shapes.integer("报废数量", "Scrapped")
    note = shapes.text("说明", "Note", limit=2000)
    withdrawal_reason = shapes.text("撤回原因", "Why withdrawn", limit=2000)
    verdict = shapes.choice(
        "审批", "Approval", GOODS_RETURN.verdict_words(),
        writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    state = shapes.choice("状态", "State", GOODS_RETURN.state_words(), writers=SERVER)
    flags = shapes.flags(REVIEW_FLAGS)


class Incident(Stepped):
    """F3, F4: what somebody complained of, asked, proposed, inspected or wants to print."""

    type = shapes.choice("类型", "Type", INCIDENT_TYPES, required=True, rule="frozen")
    customer = shapes.reference("客户", "Customer", "customer")
    happened_at = shapes.moment("发生时间", "Happened at", required=True)
    what = shapes.text("内容", "What", limit=8000, required=True)
    who = shapes.text("当事人", "Who", limit=200)
    contact = shapes.text("联系方式", "Contact", limit=200)
    product = shapes.text("产品", "Product", limit=120)
    batch = shapes.text("批号", "Batch", limit=80)
    samples = shapes.text("抽样", "Samples", limit=2000)
    result_expected = shapes.date("预计结果日期", "Result expected")
    withdrawal_reason = shapes.text("撤回原因", "Why withdrawn", limit=2000)
    revisit = shapes.reference("回访", "Visit afterwards", "visit")
    cause = shapes.choice(
        "原因分类", "Class", CLASSES, writers=OFFICE, rule="authority", owner="office"
    )
    outcome = shapes.text(
        "处理结果", "Outcome", limit=4000, writers=OFFICE, rule="authority", owner="office"
    )
    satisfaction = shapes.integer(
        "满意度(1-5)", "Satisfaction (1-5)",
        least=1, most=5, writers=OFFICE, rule="authority", owner="office",
    )  # fmt: skip
    verdict = shapes.choice(
        "处理", "Step", INCIDENT.verdict_words(), writers=OFFICE, rule="authority", owner="office"
    )
    state = shapes.choice("状态", "State", INCIDENT.state_words(), writers=SERVER)
    flags = shapes.flags({**REVIEW_FLAGS, **FIELD_FLAGS})


class Survey(Shape):
    """F7: how satisfied a customer is, 1 to 5."""

    customer = shapes.reference("客户", "Customer", "customer", required=True, rule="frozen")
    asked_at = shapes.moment("调查时间", "Asked at", required=True)
    asked = shapes.text("受访人", "Who was asked", limit=80)
    product = shapes.integer("产品满意度", "Product", least=1, most=5, required=True)
    service = shapes.integer("服务满意度", "Service", least=1, most=5, required=True)
    delivery = shapes.integer("送货满意度", "Delivery", least=1, most=5)
    wishes = shapes.text("意见与建议", "Wishes", limit=4000)
    flags = shapes.flags({})
