"""The fields that every reviewed kind has. Shapes only."""

from server.domain import shapes
from server.domain.shapes import OFFICE, SERVER, Shape

VERDICTS = {
    "accepted": ("通过", "Accepted"),
    "returned": ("退回", "Returned"),
    "rejected": ("驳回", "Rejected"),
}
STATES = {
    "unsigned": ("待签名", "Unsigned"),
    "submitted": ("待审核", "Submitted"),
    **VERDICTS,
}


class Reviewed(Shape):
    """V5, B2: the verdict is written by the office alone and reaches the device with the record."""

    verdict = shapes.choice(
        "审核结论", "Verdict", VERDICTS, writers=OFFICE, rule="authority", owner="office"
    )
    verdict_reason = shapes.text("理由", "Reason", writers=OFFICE, rule="authority", owner="office")
    verdict_note = shapes.text(
        "备注", "Note", limit=2000, writers=OFFICE, rule="authority", owner="office"
    )
    guidance = shapes.text(
        "主管指导", "Guidance", limit=4000, writers=OFFICE, rule="authority", owner="office"
    )
    decided_by = shapes.key(
        "审核人", "Decided by", writers=OFFICE, rule="authority", owner="office"
    )
    decided_at = shapes.moment(
        "审核时间", "Decided at", writers=OFFICE, rule="authority", owner="office"
    )
    state = shapes.choice("状态", "State", STATES, writers=SERVER)
    sender = shapes.key("提交人", "Sent by", writers=SERVER)
