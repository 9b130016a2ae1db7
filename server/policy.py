"""The company's policy: every threshold, term and list that DOMAIN rules name. Data, no rules."""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from server.roles import Role

ROUND_THE_CLOCK = "always"
"""The calendar of a term that names none."""

TIME = r"(([01]\d|2[0-3]):[0-5]\d|24:00)"
Span = Annotated[str, msgspec.Meta(pattern=f"^{TIME}-{TIME}$")]
"""A stretch of a day, such as ``09:00-12:00``; ``24:00`` is its end."""
Day = tuple[Span, ...]
Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Brightness = Annotated[int, msgspec.Meta(ge=0, le=255)]
Bits = Annotated[int, msgspec.Meta(ge=0, le=256)]
Code = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$", max_length=40)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""``zh / en``, or the same in both."""
Reasons = Annotated[tuple[Words, ...], msgspec.Meta(min_length=1)]


def check_zone(zone: str) -> None:
    """Raises ``ValueError`` where there is no such zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {zone!r}") from error


class Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X8: when people work: a week from Monday on, days off, days with hours of their own."""

    zone: str
    week: Annotated[tuple[Day, ...], msgspec.Meta(min_length=7, max_length=7)]
    holidays: tuple[date, ...] = ()
    workdays: dict[date, Day] = {}

    def __post_init__(self) -> None:
        """Refuses an unknown zone, a week without work and spans that are not in order."""
        check_zone(self.zone)
        if not any(self.week):
            raise ValueError("a week without working time lets no term ever run out")
        for day in (*self.week, *self.workdays.values()):
            times = [time for span in day for time in span.split("-")]
            if times != sorted(set(times)):
                raise ValueError(f"{', '.join(day)}: spans follow each other and never meet")


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X8: how long something may take in the time of a calendar, and who is told of it when."""

    minutes: Count = 0
    hours: Count = 0
    days: Count = 0
    """Of 24 hours of the calendar."""
    calendar: str = ROUND_THE_CLOCK
    warn_minutes: Count = 0
    """So long before it is due, in the same time; added to ``warn_hours``."""
    warn_hours: Count = 0
    escalate: tuple[Role, ...] = ()
    """Who is told of a missed one, one after the other."""

    def __post_init__(self) -> None:
        """Refuses a term of no length, and a warning before it has begun."""
        if not self.whole_minutes > self.warning_minutes:
            raise ValueError("a term is longer than nothing, and than its warning")

    @property
    def whole_minutes(self) -> int:
        """The length of the term."""
        return self.minutes + 60 * self.hours + 24 * 60 * self.days

    @property
    def warning_minutes(self) -> int:
        """How long before it is due somebody is reminded."""
        return self.warn_minutes + 60 * self.warn_hours


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X8: every clock that anything runs by, called by its rule."""

    b1_default: Term
    b3_match: Term
    f2_clerk: Term
    f2_manager: Term
    f2_on_site: Term
    f2_opinion: Term
    f2_technical: Term
    f2_done: Term
    f3_complaint: Term
    f3_inspection: Term
    f3_press: Term
    f4_answer: Term
    f4_plain: Term
    f4_progress: Term
    f4_revisit: Term
    f5_approval: Term
    f6_link: Term
    r1_review: Term
    supplement_wanted: Term
    v5_review: Term
    x3_unsigned: Term
    x4_intake: Term
    x5_trace: Term
    x6_notice: Term
    x6_rebuttal: Term
    x7_facts: Term
    x7_decision_region: Term
    x7_decision_market: Term
    x10_intake: Term
    x14_approval: Term
    x14_top_up: Term
    x15_decision_region: Term
    x15_decision_market: Term


class Sync(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long devices and server keep, wait and hold."""

    waiting_days: Annotated[int, msgspec.Meta(ge=14, le=3650)]
    """Never less than devices keep what was acknowledged."""
    revoked_upload_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    hold_months: Annotated[int, msgspec.Meta(ge=1, le=240)]


class Visits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """V3, V9: check-in limits and the store checklist (code → zh / en)."""

    radius_m: Positive
    position_age_minutes: Positive
    checklist_version: Positive
    checklist: dict[Code, Words]


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X2, X3, X15: tags that the forms ask for, and signatures; X4, X7: which markets are one."""

    required_tags: tuple[str, ...]
    price_tags: tuple[str, ...]
    penalties: dict[Code, Words]
    """X14: further sorts of penalties (code → zh / en)."""
    required_signatures: tuple[str, ...]
    signature_stand_ins: dict[str, tuple[str, ...]]
    least_pieces: Positive
    zone: str
    centre_level: Words
    alliances: dict[Code, tuple[str, ...]]


class Licences(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """K6: how long a licence runs, and how long before its end a renewal is proposed."""

    months: Annotated[int, msgspec.Meta(ge=1, le=600)]
    renewal_months: Annotated[int, msgspec.Meta(ge=0, le=600)]


class Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """X6: what a link shows of the photos of its record, and how much may come by it."""

    shown_tags: tuple[str, ...]
    hand_ins: Positive
    photos: Annotated[int, msgspec.Meta(ge=0, le=400)]
    photo_mb: Positive


class Receipts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """R1: the currency a form starts with."""

    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


class Photos(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """R1, B3: advice on a photo, and when two photos are taken for the same.

    ``near`` and ``reshot`` count bits of 256 in which two pictures differ.
    """

    least_sharpness: Count
    dark_below: Brightness
    bright_above: Brightness
    near: Bits
    reshot: Bits
    most_matches: Positive
    ask_from: Count


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """B2: reasons offered with a decision, by verdict."""

    undo_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)]
    reasons: dict[Code, Reasons]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it."""

    version: int
    """The number under which the store has it; a record that is judged says by which it was."""
    sync: Sync
    calendars: dict[Code, Calendar]
    terms: Terms
    visits: Visits
    cases: Cases
    licences: Licences
    links: Links
    receipts: Receipts
    photos: Photos
    review: Review
