"""The shapes of what is handed in by a link (X6, F6). Shapes only."""

from server.domain import shapes
from server.domain.shapes import SERVER, Shape

LONGEST_TEXT = 4000
FLAGS = {"words_only": ("只有文字，没有证据", "Words without evidence")}


class HandedIn(Shape):
    """Words and a number of photos, written down by the server for whoever holds the link."""

    text = shapes.text("说明", "Statement", limit=LONGEST_TEXT, rule="frozen", writers=SERVER)
    photos = shapes.integer(
        "证据数", "Pieces of evidence", required=True, rule="frozen", writers=SERVER
    )
    number = shapes.text("回执编号", "Number", limit=20, writers=SERVER)
    verified = shapes.integer("已校验", "Verified", writers=SERVER)


class Rebuttal(HandedIn):
    """X6: what the accused shows."""

    case = shapes.reference(
        "案件", "Case", "cross_region_case", required=True, rule="frozen", writers=SERVER
    )
    flags = shapes.flags(FLAGS)


class FaultSupplement(HandedIn):
    """F6: what a dealer shows of a fault."""

    fault = shapes.reference(
        "质量问题", "Fault", "product_fault", required=True, rule="frozen", writers=SERVER
    )
    arrived = shapes.yes_no("已有照片到达", "A photo has arrived", writers=SERVER)
    flags = shapes.flags({})
