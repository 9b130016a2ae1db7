"""What follows from photos and signatures, at the limits of each rule (X2, X3, B3)."""

from datetime import timedelta
from typing import Any

import pytest

from server.domain.evidence import rules
from server.domain.evidence.rules import Shot
from server.people.principal import Role
from server.values import replace
from tests.company import START
from tests.domain.records import OFFICER, POLICY, REP, change, person, photo, signature

LIMITS = POLICY.photos
SHOT = Shot(
    photo="p1",
    parent="v1",
    parent_kind="visit",
    visit="v1",
    customer="c1",
    rep="rep-1",
    region="shanghai",
    at=START,
)


def shot(**given: Any) -> Shot:
    """Another photo, of the same but for what is given."""
    values = {name: getattr(SHOT, name) for name in Shot.__dataclass_fields__}
    return Shot(**{**values, "photo": "p2", "parent": "v2", "visit": "v2", **given})


@pytest.mark.parametrize(
    ("sharpness", "brightness", "advice"),
    [
        (LIMITS.least_sharpness, LIMITS.dark_below, set()),
        (LIMITS.least_sharpness, LIMITS.bright_above, set()),
        (LIMITS.least_sharpness - 1, 100, {"blurred"}),
        (99, LIMITS.dark_below - 1, {"dark"}),
        (99, LIMITS.bright_above + 1, {"too_bright"}),
        (0, 0, {"blurred", "dark"}),
        (None, 0, set()),
        (0, None, set()),
    ],
)
def test_b3_a_photo_is_advised_of_beyond_the_policys_limits_and_not_at_them(
    sharpness: int | None, brightness: int | None, advice: set[str]
) -> None:
    measured = {"sharpness": sharpness, "brightness": brightness}
    told = {name: value for name, value in measured.items() if value is not None}
    assert rules.photo_advice(photo(**told), LIMITS) == advice


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (SHOT, shot(parent="v1", visit=None), True),
        (SHOT, shot(visit="v1"), True),
        (SHOT, shot(), False),
        (shot(visit=None), shot(visit=None, parent="v3"), False),
        (SHOT, shot(visit="v1", parent_kind="receipt"), False),
        (shot(visit="v1", parent_kind="receipt"), SHOT, False),
    ],
    ids=["one record", "one visit", "two visits", "no visit", "a receipt", "the receipt first"],
)
def test_b3_r1_photos_of_one_occasion_may_show_the_same_but_receipts_may_not(
    one: Shot, other: Shot, same: bool
) -> None:
    assert rules.b3_is_one_occasion(one, other) is same


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, []),
        ({"region": "hangzhou"}, ["other_region"]),
        ({"rep": "rep-2"}, ["other_rep"]),
        ({"customer": "c2"}, ["other_customer"]),
        ({"at": START + timedelta(hours=24)}, ["other_day"]),
        ({"at": START - timedelta(hours=24)}, ["other_day"]),
        ({"at": START + timedelta(hours=23, minutes=59)}, []),
        ({"parent_kind": "receipt"}, []),
    ],
)
def test_b3_what_sets_two_photos_apart_is_named(given: dict[str, Any], why: list[str]) -> None:
    assert rules.b3_why(SHOT, shot(**given), turned=False)[0] == why


def test_b3_a_turned_picture_and_two_receipts_are_named_and_days_are_counted() -> None:
    receipt = shot(parent_kind="receipt")
    later = shot(parent_kind="receipt", at=START + timedelta(days=2, hours=5))
    assert rules.b3_why(receipt, later, turned=True) == (["other_day", "receipts", "turned"], 2)


@pytest.mark.parametrize(
    ("tier", "why", "weight"),
    [
        ("same_file", (), 40),
        ("same_jpeg", (), 40),
        ("near", (), 30),
        ("reshot", (), 0),
        ("reshot", ("turned",), 0),
        ("reshot", ("other_day",), 10),
        ("reshot", ("receipts",), 20),
        ("reshot", ("other_rep",), 35),
        ("near", ("other_customer",), 65),
        ("near", ("other_region", "other_rep", "other_customer", "other_day"), 90),
        ("same_file", ("other_rep", "other_customer", "other_day"), 100),
        ("same_jpeg", ("other_rep", "other_customer", "other_day"), 100),
    ],
)
def test_b3_a_match_weighs_more_the_more_sets_its_photos_apart_and_never_less_than_nothing(
    tier: str, why: tuple[str, ...], weight: int
) -> None:
    assert rules.b3_weight(tier, why) == weight


@pytest.mark.parametrize(
    ("why", "role"),
    [
        ((), Role.REGION_MANAGER),
        (("receipts",), Role.REGION_MANAGER),
        (("other_region",), Role.MARKET_OFFICER),
        (("other_region", "receipts"), Role.FINANCE_OFFICER),
    ],
)
def test_b3_a_match_is_answered_where_both_photos_lie(why: tuple[str, ...], role: Role) -> None:
    assert rules.b3_asked(why) == role


def test_p9_b3_when_a_photo_was_taken_is_a_claim_and_its_arrival_where_nothing_is_claimed() -> None:
    came = "2026-03-02T01:30:00.000Z"
    claimed = photo(captured="2025-01-01T08:00:00+08:00")
    assert rules.moment_of(photo(), came) == START
    assert rules.moment_of(claimed, came).year == 2025


def test_x2_evidence_says_truly_beneath_what_it_hangs() -> None:
    told = change("photo", photo(parent_kind="visit"))
    above = {"parent_kind": "reference"}
    for stands, wrong in ((None, {}), ("visit", {}), ("cross_region_case", above)):
        assert rules.names_its_parent(replace(told, parent_kind=stands), None) == wrong


@pytest.mark.parametrize(
    ("part", "by", "flags"),
    [
        ("region_manager", REP, {"not_the_role"}),
        ("region_manager", person(Role.REGION_MANAGER), set()),
        ("sales_manager", person(Role.REGION_MANAGER), {"not_the_role"}),
        ("sales_manager", person(Role.SALES_MANAGER), set()),
        ("customer", OFFICER, set()),
    ],
)
def test_x3_a_managers_part_that_somebody_else_signs_is_flagged_once(
    part: str, by: Any, flags: set[str]
) -> None:
    signed = signature(part)
    assert rules.x3_signature_flags(change("signature", signed, by=by)) == flags
    again = change("signature", {**signed, "signer": "王 芳"}, before=signed, by=by)
    assert rules.x3_signature_flags(again) == set()


def test_m4_a_new_record_says_of_its_bytes_only_that_they_are_declared() -> None:
    assert rules.first_state(change("photo", photo())) == {"state": "declared"}
    assert rules.first_state(change("photo", photo(), before=photo())) == {}
