"""K2: the kind ``claim_match``: two records that are likely of the same. A person judges them."""

from server.casework.items import OpenItem, Waits
from server.casework.terms import open_item
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.domain.shapes import BOTH, SERVER, Shape
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, Data, FieldErrors, RecordKind

ANSWERS = {
    "same": ("相同", "The same"),
    "different": ("不同", "Different"),
    "unsure": ("不确定", "Unsure"),
}
ANSWER = ("answer", "answer_note")
"""What a person says of a match."""
JUDGES = MANAGERS
"""K2: who says whether two are the same; others only see what was said."""
STATES = {"open": ("待判断", "Open"), "answered": ("已判断", "Answered")}


class ClaimMatch(Shape):
    """Which records, who brought the second, and when each was captured."""

    record = shapes.record_id("后到的记录", "Later record", writers=SERVER)
    earlier = shapes.record_id("先到的记录", "Earlier record", writers=SERVER)
    record_kind = shapes.text("记录类型", "Kind of record", limit=64, writers=SERVER)
    user = shapes.key("提交人", "Sender", writers=SERVER)
    captured = shapes.text("采集时间", "Captured", limit=40, writers=SERVER)
    earlier_captured = shapes.text("先到的采集时间", "Earlier captured", limit=40, writers=SERVER)
    answer = shapes.choice("判断", "Answer", ANSWERS, writers=BOTH)
    answer_note = shapes.text("备注", "Note", limit=2000, writers=BOTH)
    state = shapes.choice("状态", "State", STATES, writers=SERVER)
    flags = shapes.flags({})


def k2_answered_by_manager(change: Change, _parent: Data | None) -> FieldErrors:
    """K2: whether two registrations are of one customer is for a manager to say."""
    if change.by.has_any(JUDGES):
        return {}
    before = change.before or {}
    said = (name for name in ANSWER if change.after.get(name) != before.get(name))
    return dict.fromkeys(said, "office_only")


def k2_waits(change: Change, item: OpenItem) -> Waits:
    """B1: a match waits for an answer, once."""
    if "answer" in change.after:
        return ()
    return (item,) if change.before is None else None


def claim_match_kind(policy: Policy) -> RecordKind:
    """K2: made by the engine where a claim key was taken already; nobody is merged by it."""
    item = open_item(policy, policy.terms.b1_default, Role.REGION_MANAGER, "compare")
    return kind_from_schema(
        ClaimMatch,
        "claim_match",
        zh="疑似重复登记",
        en="Likely the same",
        create_roles=frozenset(),
        office_roles=MANAGERS | {Role.SALES_CLERK, Role.MARKET_OFFICER, Role.FINANCE_OFFICER},
        check=k2_answered_by_manager,
        derive=lambda change, _parent: {
            "state": "answered" if "answer" in change.after else "open"
        },
        waits=lambda change: k2_waits(change, item),
        is_closed=lambda match: match.get("state") == "answered",
        summary=("record_kind", "captured", "earlier_captured", "state"),
        label="record_kind",
    )
