"""Rules as pure functions, exactly at limits that no other test stands at."""

from datetime import timedelta
from fractions import Fraction

from server.casework.calendars import add_time
from server.domain.cases.rules import x4_is_confirmed
from server.domain.visits.rules import v3_flags, v9_score
from server.values import replace
from tests.domain.records import POLICY
from tests.domain.test_checks import known, point
from tests.domain.test_deadlines import WEEKDAYS, at


def test_x8_no_time_at_all_has_passed_at_once_also_when_nobody_works() -> None:
    sunday = at("2026-03-01T12:00:00+08:00")
    assert add_time(WEEKDAYS, sunday, timedelta()) == sunday


def test_x4_x13_the_dealer_to_whom_most_of_the_goods_lead_is_held_against_the_quantity() -> None:
    told = known(20)
    (most,) = told.shares
    less = replace(most, dealer="C-2", pieces=Fraction(3), possible=Fraction(3))
    assert point("pieces", replace(told, shares=(most, less))).value == "20"
    assert point("pieces", replace(told, shares=(most, less))).result == "yes"
    short = replace(most, pieces=Fraction(19), possible=Fraction(19))
    assert point("pieces", replace(told, shares=(short, less))).value == "19"
    assert point("pieces", replace(told, shares=(short, less))).result == "no"


def test_x4_k6_a_case_keeps_the_first_200_letters_of_many_licensed_products() -> None:
    told = point("not_licensed", known(20, licensed=("茶" * 150, "水" * 150)))
    assert told.value == "茶" * 150 + ", " + "水" * 48


def test_x4_the_two_managers_alone_confirm_a_case() -> None:
    assert x4_is_confirmed({"signed_by": ["region_manager", "sales_manager"]})


def test_v3_at_the_radius_itself_a_check_in_is_not_far() -> None:
    limits = POLICY.visits
    assert v3_flags({}, limits.radius_m, limits) == set()
    assert v3_flags({}, limits.radius_m + 1, limits) == {"far"}


def test_v9_a_score_is_of_a_hundred() -> None:
    all_passed = {"answers": [{"item": "own_rack", "answer": "pass"}]}
    none_passed = {"answers": [{"item": "own_rack", "answer": "fail"}]}
    assert (v9_score(all_passed), v9_score(none_passed)) == (100, 0)
