"""What follows from a photo or a signature. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.clock import from_wire
from server.domain.positions import position_flags, with_flags
from server.people.principal import Role
from server.policy import Photos
from server.sync.kinds import Change, Data, FieldErrors

MANAGER_PARTS = {"region_manager": Role.REGION_MANAGER, "sales_manager": Role.SALES_MANAGER}


def names_its_parent(change: Change, _parent: Data | None) -> FieldErrors:
    """X2: evidence says truly under what kind of record it hangs."""
    if change.parent_kind in {None, change.after.get("parent_kind")}:
        return {}
    return {"parent_kind": "reference"}


def first_state(change: Change) -> Data:
    """M4: a record that is new has no bytes yet; only the engine of bytes says more."""
    return {"state": "declared"} if change.before is None else {}


def x2_photo_flags(photo: Data, oldest_s: int) -> set[str]:
    """X2: a photo from the gallery is allowed and flagged, like an old or mocked position."""
    gallery = {"gallery"} if photo.get("source") == "gallery" else set()
    return gallery | position_flags(photo.get("position"), oldest_s)


def photo_advice(photo: Data, limits: Photos) -> set[str]:
    """What a person may want to take again. Advice about the newest look at it, never a refusal."""
    sharpness, brightness = photo.get("sharpness"), photo.get("brightness")
    if sharpness is None or brightness is None:
        return set()
    found = {
        "blurred": sharpness < limits.least_sharpness,
        "dark": brightness < limits.dark_below,
        "too_bright": brightness > limits.bright_above,
    }
    return {name for name, is_so in found.items() if is_so}


def x3_signature_flags(change: Change) -> set[str]:
    """X3: a manager's signature sent by somebody without that role is flagged, not refused."""
    role = MANAGER_PARTS.get(change.after.get("part", ""))
    foreign = change.before is None and role is not None and role not in change.by.roles
    return {"not_the_role"} if foreign else set()


def derive_photo(change: Change, oldest_s: int, limits: Photos) -> Data:
    """The server's fields of a photo that follow from its data."""
    found = x2_photo_flags(change.after, oldest_s) | photo_advice(change.after, limits)
    return {**first_state(change), "flags": with_flags(change.after, found)}


def derive_signature(change: Change) -> Data:
    """The server's fields of a signature that follow from its data."""
    found = x3_signature_flags(change)
    return {**first_state(change), "flags": with_flags(change.after, found)}


TIER_WEIGHTS = {"same_file": 60, "same_jpeg": 60, "near": 50, "reshot": 20}
CONTEXT_WEIGHTS = {"other_rep": 15, "other_customer": 15, "other_day": 10}
SAME_PLACE = -20
"""The same rep at the same customer: most likely the same shelf on another day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A photo with what surrounds it."""

    photo: str
    parent: str
    parent_kind: str
    visit: str | None
    customer: str | None
    rep: str
    region: str | None
    at: datetime
    """When it is said to have been taken; where nothing is said, when its record came."""


def b3_is_one_occasion(one: Shot, other: Shot) -> bool:
    """B3, R1: photos of one visit may show the same; those of two receipts may not."""
    if one.parent == other.parent:
        return True
    receipts = "receipt" in {one.parent_kind, other.parent_kind}
    return one.visit is not None and one.visit == other.visit and not receipts


def b3_why(one: Shot, other: Shot, *, turned: bool) -> tuple[list[str], int]:
    """B3: what sets two photos of the same apart, and how many whole days."""
    days = abs(one.at - other.at).days
    found = {
        "other_region": one.region != other.region,
        "other_rep": one.rep != other.rep,
        "other_customer": one.customer != other.customer,
        "other_day": days >= 1,
        "receipts": one.parent_kind == other.parent_kind == "receipt",
        "turned": turned,
    }
    return [name for name, is_so in found.items() if is_so], days


def b3_weight(tier: str, why: Sequence[str]) -> int:
    """B3: how much a match asks to be looked at; another rep or customer, or a later day raises."""
    context = sum(CONTEXT_WEIGHTS.get(name, 0) for name in why)
    same_place = not {"other_rep", "other_customer", "receipts"} & set(why)
    return max(TIER_WEIGHTS[tier] + context + (SAME_PLACE if same_place else 0), 0)


def b3_asked(why: Sequence[str]) -> Role:
    """B3: who answers: the region's manager, across regions the department whose matter it is."""
    if "other_region" not in why:
        return Role.REGION_MANAGER
    return Role.FINANCE_OFFICER if "receipts" in why else Role.MARKET_OFFICER


def moment_of(photo: Data, created_at: str) -> datetime:
    """P9: a claim, for a reader's eyes; it decides nothing."""
    return from_wire(str(photo.get("captured") or created_at))
