"""P6: the kinds ``conflict`` and ``parked``: what lost and what was refused, kept by the engine."""

from server.casework.items import OpenItem, Waits
from server.casework.terms import open_item
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.domain.evidence.kinds import SEES_EVIDENCE
from server.domain.shapes import BOTH, SERVER, Shape
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, Data, FieldErrors, Placement, RecordKind

CONFLICT_STATES = {"open": ("未解决", "Open"), "resolved": ("已解决", "Resolved")}
PARKED_STATES = {
    "open": ("未处理", "Open"),
    "restored": ("已恢复", "Restored"),
    "dismissed": ("已驳回", "Dismissed"),
}


class Kept(Shape):
    """What both say: which record, whose mutation, which values."""

    record = shapes.record_id("记录", "Record", writers=SERVER)
    record_kind = shapes.text("记录类型", "Kind of record", limit=64, writers=SERVER)
    user = shapes.key("提交人", "Sender", writers=SERVER)
    device = shapes.key("设备", "Device", writers=SERVER)
    mutation = shapes.record_id("变更", "Mutation", writers=SERVER)
    settled_by = shapes.record_id("处理变更", "Settled by", writers=SERVER)
    flags = shapes.flags({})


Conflict = Kept.from_dict(
    {
        "fields": shapes.listing(
            "字段", "Fields", shapes.text("字段", "Field", limit=64), writers=SERVER
        ),
        "base": shapes.integer("基准版本", "Base", writers=SERVER),
        "kept": shapes.values("保留的值", "Kept"),
        "lost": shapes.values("未采用的值", "Lost"),
        "state": shapes.choice("状态", "State", CONFLICT_STATES, writers=SERVER),
    },
    name="Conflict",
)
"""Values that did not win in a merge, beside those that stand."""


class Parked(Kept):
    """A mutation that was refused, with its values and the reason."""

    action = shapes.text("操作", "Action", limit=64, writers=SERVER)
    set = shapes.values("提交的值", "Values")
    unset = shapes.listing("清除", "Unset", shapes.text("字段", "Field", limit=64), writers=SERVER)
    code = shapes.text("原因", "Reason", limit=64, writers=SERVER)
    under = shapes.record_id("起因变更", "Cause", writers=SERVER)
    wrong = shapes.values("有误字段", "Wrong fields")
    captured = shapes.values("采集信息", "Captured")
    state = shapes.choice("状态", "State", PARKED_STATES, writers=BOTH)


def follow_target(parked: Data, target: Placement) -> Placement:
    """A parked mutation is seen by its sender and by whoever holds its target now."""
    scopes = target.scopes | {f"user:{parked['user']}"}
    return Placement(scopes=scopes, region=target.region)


NEEDS_A_MANAGER = frozenset({"device_revoked", "moved"})
"""Refusals that their sender cannot mend: a manager restores what was sent, or dismisses it."""


def ask_manager(change: Change, item: OpenItem) -> Waits:
    """B1: who must look at what was refused; nobody where the sender corrects it himself."""
    if change.after.get("state") != "open":
        return ()
    if change.before is not None or change.after.get("code") not in NEEDS_A_MANAGER:
        return None
    return (item,)


def dismissed_by_manager(change: Change, _parent: Data | None) -> FieldErrors:
    """P6: a manager may dismiss what was parked; nothing else of it can be written."""
    before = (change.before or {}).get("state")
    if change.after.get("state") == before:
        return {}
    if change.after.get("state") != "dismissed" or before != "open":
        return {"state": "choice"}
    return {} if change.by.has_any(MANAGERS) else {"state": "office_only"}


def conflict_kind() -> RecordKind:
    """Made by the merge; closed by a mutation that names it in ``resolves`` or ``restores``."""
    return kind_from_schema(
        Conflict,
        "conflict",
        zh="冲突",
        en="Conflict",
        create_roles=frozenset(),
        office_roles=SEES_EVIDENCE,
        opens_with="record_kind",
        summary=("record_kind", "fields", "state"),
        label="record_kind",
    )


def parked_kind(policy: Policy) -> RecordKind:
    """Made by a refusal; restored by whoever may write the target, dismissed by a manager."""
    item = open_item(policy, policy.terms.b1_default, Role.REGION_MANAGER, "parked")
    return kind_from_schema(
        Parked,
        "parked",
        zh="被拒变更",
        en="Parked mutation",
        create_roles=frozenset(),
        office_roles=SEES_EVIDENCE,
        opens_with="record_kind",
        check=dismissed_by_manager,
        follow=follow_target,
        waits=lambda change: ask_manager(change, item),
        summary=("record_kind", "code", "state"),
        label="record_kind",
    )
