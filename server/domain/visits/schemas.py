"""The shapes of a visit (V1, V3, V9) and of its report (V4). Shapes only."""

from server.domain import shapes
from server.domain.review.schemas import Reviewed
from server.domain.shapes import SERVER, Shape
from server.domain.vocabulary import POSITION_FLAGS, REVIEW_FLAGS

PURPOSES = {
    "routine": ("例行拜访", "Routine"),
    "follow_up": ("回访", "Follow-up"),
    "sale": ("销售洽谈", "Sale"),
    "store_check": ("陈列检查", "Store check"),
    "training": ("培训", "Training"),
    "complaint": ("投诉处理", "Complaint"),
    "collection": ("收款", "Collection"),
    "other": ("其他", "Other"),
}
METHODS = {
    "on_site": ("上门", "On site"),
    "phone": ("电话", "Phone"),
    "message": ("信息", "Message"),
}
PARTS = {
    "technical": ("技术", "Technical"),
    "administrative": ("管理", "Administrative"),
    "user": ("使用者", "User"),
    "owner": ("负责人", "Owner"),
}
ATTITUDES = {
    "friendly": ("友好", "Friendly"),
    "neutral": ("一般", "Neutral"),
    "critical": ("不满", "Critical"),
}
RESULTS = {
    "done": ("达成", "Done"),
    "partly": ("部分达成", "Partly done"),
    "not_done": ("未达成", "Not done"),
}
ANSWERS = {
    "pass": ("合格", "Pass"),
    "fail": ("不合格", "Fail"),
    "na": ("不适用", "Not applicable"),
}


class Presence(Shape):
    """V3: arriving or leaving."""

    at = shapes.moment("时间", "Time", required=True)
    position = shapes.position("位置", "Position")


class Met(Shape):
    """V3: who was met."""

    name = shapes.text("姓名", "Name", limit=80, required=True)
    part = shapes.choice("身份", "Part", PARTS)
    phone = shapes.text("电话", "Phone", limit=40)


class Answer(Shape):
    """V9: one point of the checklist."""

    item = shapes.formed("检查项", "Item", "^[a-z][a-z0-9_]{0,59}$", "format", required=True)
    answer = shapes.choice("结果", "Answer", ANSWERS, required=True)
    note = shapes.text("说明", "Note", limit=500)


class Checklist(Shape):
    """V9: the answers, with the version of the list that was asked."""

    version = shapes.integer("清单版本", "Version", least=1, required=True)
    answers = shapes.listing(
        "检查结果", "Answers", shapes.inner("结果", "Answer", Answer), most=100, required=True
    )


class Visit(Reviewed):
    """V1, V3: what was planned and what happened."""

    customer = shapes.reference("客户", "Customer", "customer", required=True, rule="frozen")
    purpose = shapes.choice("目的", "Purpose", PURPOSES, required=True)
    method = shapes.choice("方式", "Method", METHODS)
    planned_at = shapes.moment("约定时间", "Planned time")
    planned_place = shapes.text("约定地点", "Planned place")
    expected_cost = shapes.decimal("预计费用", "Expected cost")
    check_in = shapes.inner("签到", "Check-in", Presence, rule="frozen")
    check_out = shapes.inner("签退", "Check-out", Presence, rule="frozen")
    met = shapes.listing("会见人", "Who was met", shapes.inner("会见人", "Person", Met), most=30)
    topics = shapes.text("洽谈内容", "Topics", limit=4000)
    product_use = shapes.text("产品使用情况", "Product use", limit=4000)
    attitude = shapes.choice("客户态度", "Attitude", ATTITUDES)
    satisfaction = shapes.integer("满意度(1-5)", "Satisfaction (1-5)", least=1, most=5)
    needs = shapes.text("客户需求", "Needs", limit=4000)
    problems = shapes.text("存在问题", "Problems", limit=4000)
    unresolved = shapes.yes_no("问题未解决", "Problem not resolved")
    competitor_notes = shapes.text("竞品信息", "Competitor notes", limit=4000)
    result = shapes.choice("结果", "Result", RESULTS)
    reason = shapes.text("原因", "Reason", limit=2000)
    next_contact = shapes.date("下次联系", "Next contact")
    checklist = shapes.inner("陈列检查", "Store check", Checklist)
    distance_m = shapes.integer("距客户(米)", "Distance to customer (m)", writers=SERVER)
    checklist_score = shapes.integer("陈列得分", "Store score", most=100, writers=SERVER)
    flags = shapes.flags({**POSITION_FLAGS, **REVIEW_FLAGS})


class VisitReport(Reviewed):
    """V4: summary and evaluation of a visit."""

    visit = shapes.reference("拜访", "Visit", "visit", required=True, rule="frozen")
    summary = shapes.text("总结", "Summary", limit=8000, required=True)
    evaluation = shapes.text("评价", "Evaluation", limit=4000)
    next_steps = shapes.text("后续安排", "Next steps", limit=4000)
    next_contact = shapes.date("下次联系", "Next contact")
    flags = shapes.flags(REVIEW_FLAGS)
