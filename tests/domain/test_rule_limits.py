"""Rules as pure functions, exactly at limits that no other test stands at."""

from datetime import timedelta
from fractions import Fraction

from server.casework.calendars import add_time
from server.casework.deadlines import Moment, judge_field_term
from server.domain.cases.penalizing import x14_deciders, x14_rests_on
from server.domain.cases.pricing import x15_compare
from server.domain.cases.rules import x4_is_confirmed
from server.domain.faults.rules import brought, f3_flags, f5_amounts, handed_in
from server.domain.review.rules import is_taken_back
from server.domain.visits.rules import v3_flags, v9_score
from server.values import replace
from tests.domain.records import POLICY, change
from tests.domain.test_checks import known, point
from tests.domain.test_deadlines import BEGAN, SECOND, WEEKDAYS, at, field


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


def test_x8_what_arrives_the_instant_it_was_made_is_not_from_the_future() -> None:
    assert judge_field_term(field(SECOND, SECOND)) == "made_in_time"


def test_x8_at_the_last_instant_that_the_bounds_allow_it_is_not_yet_late() -> None:
    minute = timedelta(minutes=1)
    talk = Moment(low=BEGAN, high=BEGAN + minute)
    at_the_end = replace(field(29 * minute, 31 * minute), began=talk)
    assert judge_field_term(at_the_end) == "uncertain"
    later = replace(at_the_end, arrived_at=at_the_end.arrived_at + SECOND)
    assert judge_field_term(later) == "arrived_late"


def test_x14_nobody_proposes_on_what_is_no_case_or_was_not_upheld() -> None:
    decided = {"came_from": "deciding", "verdict": "dismissed"}
    assert x14_deciders("visit", {**decided, "state": "upheld"}) == frozenset()
    assert x14_deciders("cross_region_case", {**decided, "state": "dismissed"}) == frozenset()
    assert x14_deciders("cross_region_case", {**decided, "state": "upheld"}) != frozenset()


def test_x14_only_a_new_confirmation_rests_on_the_decision_that_stands_by_then() -> None:
    first, then = {"decided_at": "2026-03-02T09:00:00Z"}, {"decided_at": "2026-03-03T09:00:00Z"}
    confirmed = change("penalty", {**then, "verdict": "stands"}, before=first)
    assert x14_rests_on(confirmed, then) == {"rests_on": then["decided_at"]}
    assert x14_rests_on(replace(confirmed, after={**then, "verdict": "lifted"}), then) == {}
    assert x14_rests_on(replace(confirmed, before=confirmed.after), then) == {}
    assert x14_rests_on(replace(confirmed, before=None), then) == {}
    assert (
        x14_rests_on(replace(confirmed, after={**first, "verdict": "stands"}, before=then), then)
        == {}
    )


def test_x15_a_price_that_is_for_one_piece_says_nothing_of_units() -> None:
    line = {"product": "茶", "unit": "piece", "price_found": "5", "list_price": "6"}
    (told,) = x15_compare({"currency": "CNY", "lines": [line]}, {})
    assert told == {"product": "茶", "list_price": "6 CNY", "basis": "report", "result": "below"}


def test_f3_x8_the_offset_of_a_clock_is_believed_to_five_seconds() -> None:
    assert _flags_of_a_talk_at_ten(arrived="2026-03-02T10:29:55Z") == set()
    assert _flags_of_a_talk_at_ten(arrived="2026-03-02T10:29:56Z") == {"time_uncertain"}


def _flags_of_a_talk_at_ten(*, arrived: str) -> set[str]:
    talk = {"type": "complaint_met", "happened_at": "2026-03-02T10:00:00Z"}
    report = replace(
        change("incident", talk),
        captured={"offset_ms": 0, "wall": "2026-03-02T10:29:50Z"},
        arrived_at=arrived,
    )
    return f3_flags(report, POLICY)


def test_f2_only_what_was_sent_back_is_handed_in_again_and_by_an_edit() -> None:
    edited = change(
        "product_fault", {"state": "reported", "note": "2"}, before={"state": "reported"}
    )
    assert not handed_in(edited)["handed_in"]({})
    returned = replace(edited, before={"state": "returned"})
    assert handed_in(returned)["handed_in"]({})
    assert not handed_in(replace(returned, after={"state": "returned"}))["handed_in"]({})


def test_f2_evidence_hands_in_again_when_it_is_made_and_not_when_it_changes() -> None:
    made = change("photo", {"tag": "goods"})
    assert brought([made])["handed_in"]({})
    assert not brought([replace(made, before={"tag": "batch"})])["handed_in"]({})


def test_f5_an_amount_that_a_return_does_not_name_is_none() -> None:
    others = dict.fromkeys(("exchanged", "issued", "sent_back", "scrapped"), 0)
    assert f5_amounts({"received": 3}) == {"received": 3, **others}


def test_b2_a_decision_of_the_same_moment_is_not_one_taken_back() -> None:
    moment, before = "2026-03-02T09:00:00.001Z", "2026-03-02T09:00:00.000Z"
    assert not is_taken_back(moment, moment)
    assert is_taken_back(moment, before)
