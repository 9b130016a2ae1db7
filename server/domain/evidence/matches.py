"""B3, R1: the kind ``photo_match``: two photos that show the same. A person judges them."""

from server.casework.items import Waits
from server.casework.terms import open_item
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.domain.evidence.kinds import SEES_EVIDENCE
from server.domain.evidence.rules import b3_asked
from server.domain.shapes import OFFICE, SERVER, Shape
from server.policy import Policy
from server.sync.kinds import Author, Change, Data, FieldErrors, Placement, RecordKind

TIERS = {
    "same_file": ("同一文件", "The same file"),
    "same_jpeg": ("同一图片，元数据不同", "The same picture under other metadata"),
    "near": ("几乎相同", "Nearly the same picture"),
    "reshot": ("可能是翻拍", "Possibly taken of the other"),
}
WHY = {
    "other_region": ("不同区域", "Another region"),
    "other_rep": ("不同业务员", "Another rep"),
    "other_customer": ("不同客户", "Another customer"),
    "other_day": ("不同日期", "Another day"),
    "receipts": ("均为票据", "Both are receipts"),
    "turned": ("旋转或镜像后", "After turning or mirroring"),
}
ANSWERS = {
    "same": ("相同", "The same"),
    "different": ("不同", "Different"),
    "unsure": ("不确定", "Unsure"),
}
STATES = {"open": ("待判断", "Open"), "answered": ("已判断", "Answered")}


class PhotoMatch(Shape):
    """Which photos, how alike, what sets them apart, and what a person says of it."""

    tier = shapes.choice("相似程度", "Likeness", TIERS, writers=SERVER)
    photo = shapes.reference("照片", "Photo", "photo", writers=SERVER, rule="frozen")
    earlier = shapes.reference(
        "先到的照片", "Earlier photo", "photo", writers=SERVER, rule="frozen"
    )
    distance = shapes.integer("差异位数（共 256）", "Bits of 256 that differ", writers=SERVER)
    why = shapes.listing("情形", "Why", shapes.choice("情形", "Why", WHY), writers=SERVER)
    days = shapes.integer("相隔天数", "Days between", writers=SERVER)
    weight = shapes.integer("权重", "Weight", writers=SERVER)
    region = shapes.key("共同区域", "Region of both", writers=SERVER)
    answer = shapes.choice(
        "判断", "Answer", ANSWERS, writers=OFFICE, rule="authority", owner="office"
    )
    answer_note = shapes.text(
        "备注", "Note", limit=2000, writers=OFFICE, rule="authority", owner="office"
    )
    answered_by = shapes.key(
        "判断人", "Answered by", writers=OFFICE, rule="authority", owner="office"
    )
    answered_at = shapes.moment(
        "判断时间", "Answered at", writers=OFFICE, rule="authority", owner="office"
    )
    state = shapes.choice("状态", "State", STATES, writers=SERVER)
    flags = shapes.flags({})


def b3_place(match: Data, _by: Author) -> Placement:
    """P5: only who may see both photos learns that they match: the region that holds both.

    Without such a region it is the company's, for roles that reach everywhere.
    """
    region = match.get("region")
    scopes = frozenset({f"region:{region}"} if region else ())
    return Placement(scopes=scopes, region=region)


def b3_reasoned(change: Change, _parent: Data | None) -> FieldErrors:
    """B2: an answer says whose it is."""
    after = change.after
    if "answer" not in after:
        return {}
    return {name: "required" for name in ("answered_by", "answered_at") if name not in after}


def b3_waits(change: Change, policy: Policy) -> Waits:
    """B1: what weighs enough waits for an answer, once."""
    if change.withdrawn or "answer" in change.after:
        return ()
    if change.before is not None or change.after["weight"] < policy.photos.ask_from:
        return None
    asked = b3_asked(change.after["why"])
    return (open_item(policy, policy.terms.b3_match, asked, "compare"),)


def photo_match_kind(policy: Policy) -> RecordKind:
    """B3: made by the server alone, from what it compares; answered by the office."""
    return kind_from_schema(
        PhotoMatch,
        "photo_match",
        zh="照片相似",
        en="Similar photos",
        place=b3_place,
        create_roles=frozenset(),
        office_roles=SEES_EVIDENCE,
        check=b3_reasoned,
        derive=lambda change, _parent: {
            "state": "answered" if "answer" in change.after else "open"
        },
        waits=lambda change: b3_waits(change, policy),
        is_closed=lambda match: match.get("state") == "answered",
        summary=("why", "days", "distance"),
        label="tier",
    )
