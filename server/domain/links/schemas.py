"""The shape of a rebuttal (X6). Shapes only."""

from server.domain import shapes
from server.domain.shapes import SERVER, Shape

LONGEST_TEXT = 4000
FLAGS = {"words_only": ("只有文字，没有证据", "Words without evidence")}


class Rebuttal(Shape):
    """X6: what the accused shows; written down by the server for whoever holds the link."""

    case = shapes.reference(
        "案件", "Case", "cross_region_case", required=True, rule="frozen", writers=SERVER
    )
    text = shapes.text("说明", "Statement", limit=LONGEST_TEXT, rule="frozen", writers=SERVER)
    photos = shapes.integer(
        "证据数", "Pieces of evidence", required=True, rule="frozen", writers=SERVER
    )
    number = shapes.text("回执编号", "Number", limit=20, writers=SERVER)
    verified = shapes.integer("已校验", "Verified", writers=SERVER)
    flags = shapes.flags(FLAGS)
