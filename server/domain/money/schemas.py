"""The shape of a receipt (R1). Shapes only."""

from server.domain import shapes
from server.domain.review.schemas import Reviewed
from server.domain.vocabulary import CLAIM_FLAGS, REVIEW_FLAGS

RECEIPT_KINDS = {
    "transport": ("交通", "Transport"),
    "lodging": ("住宿", "Lodging"),
    "meal": ("餐费", "Meal"),
    "gift": ("礼品", "Gift"),
    "reception": ("招待", "Reception"),
    "training": ("培训", "Training"),
    "meeting": ("会议", "Meeting"),
    "other": ("其他", "Other"),
}


class Receipt(Reviewed):
    """R1: an expense document; its photo or PDF is a ``photo`` beneath it."""

    kind = shapes.choice("类别", "Kind", RECEIPT_KINDS, required=True)
    amount = shapes.decimal("金额", "Amount", required=True)
    currency = shapes.formed("币种", "Currency", "^[A-Z]{3}$", "format", required=True)
    date = shapes.date("开票日期", "Date", required=True)
    seller = shapes.text("销售方", "Seller")
    tax_number = shapes.text("税号", "Tax number", limit=40)
    number = shapes.text("票据号码", "Number", limit=60)
    visit = shapes.reference("拜访", "Visit", "visit")
    note = shapes.text("说明", "Note", limit=2000)
    flags = shapes.flags({**REVIEW_FLAGS, **CLAIM_FLAGS})
