"""The company's policy: every threshold, term and list that DOMAIN rules name. Data, no rules."""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

DEFAULTS = Path(__file__).with_name("policy.toml")

Hours = Annotated[int, msgspec.Meta(gt=0)]


class Sync(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long devices and server keep, wait and hold."""

    waiting_days: int
    revoked_upload_days: int
    hold_months: int


class Visits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """V3, V5, V9: check-in limits, review term and the store checklist (code → zh / en)."""

    radius_m: int
    position_age_minutes: int
    review_hours: Hours
    checklist_version: int
    checklist: dict[str, str]


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X2 to X4: tags that the form asks for, signatures, intake term."""

    required_tags: tuple[str, ...]
    required_signatures: tuple[str, ...]
    signature_stand_ins: dict[str, tuple[str, ...]]
    intake_hours: Hours
    unsigned_hours: Hours


class Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X6: what a link shows of the photos of its record, and how much may come by it."""

    shown_tags: tuple[str, ...]
    hand_ins: Annotated[int, msgspec.Meta(gt=0)]
    photos: Annotated[int, msgspec.Meta(ge=0, le=400)]
    photo_mb: Annotated[int, msgspec.Meta(gt=0)]


class Receipts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """R1: review term and the currency a form starts with."""

    review_hours: Hours
    currency: str


class Photos(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """R1, B3: advice on a photo, and when two photos are taken for the same.

    ``near`` and ``reshot`` count bits of 256 in which two pictures differ.
    """

    least_sharpness: int
    dark_below: int
    bright_above: int
    near: int
    reshot: int
    most_matches: int
    ask_from: int
    match_hours: Hours


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """B2: reasons offered with a decision, by verdict."""

    undo_seconds: int
    default_hours: Hours
    reasons: dict[str, tuple[str, ...]]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it."""

    version: int
    sync: Sync
    visits: Visits
    cases: Cases
    links: Links
    receipts: Receipts
    photos: Photos
    review: Review


def load(path: Path | None = None) -> Policy:
    """The policy in ``path``, or the defaults. Raises ``msgspec.ValidationError`` by key."""
    content = (path or DEFAULTS).read_text("utf-8")
    return msgspec.convert(tomllib.loads(content), Policy)
