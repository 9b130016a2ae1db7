"""X8: working time and clocks, at their limits and beside a reference that looks at each minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.casework.calendars import (
    ALWAYS,
    Calendar,
    Spans,
    add_time,
    first_instant,
    time_between,
)
from server.casework.deadlines import (
    Clock,
    FieldTerm,
    Moment,
    Pause,
    due_at,
    judge_field_term,
    warn_at,
)
from server.values import replace
from tests.domain.histories import compare, standing

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
OFFICE: Spans = ((540, 720), (780, 1080))
WEEKDAYS = Calendar(zone="Asia/Shanghai", week=(OFFICE,) * 5 + ((), ()))
GOLDEN_WEEK = replace(
    WEEKDAYS,
    holidays=frozenset(date(2026, 10, day) for day in range(1, 8)),
    workdays={date(2026, 10, 10): OFFICE},
)
NOTICE = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
REBUTTAL = Clock(started_at=NOTICE, term=24 * HOUR, warn=4 * HOUR)


def at(text: str) -> datetime:
    """An instant, from its local time and offset."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("seed", range(0, 80, 20))
def test_x8_clocks_agree_with_a_reference_that_looks_at_every_minute(seed: int) -> None:
    assert [said for each in range(seed, seed + 20) for said in compare(each)] == []


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-03-02T09:00+08:00", 3, "2026-03-02T12:00+08:00"),
        ("2026-03-02T09:00+08:00", 4, "2026-03-02T14:00+08:00"),
        ("2026-03-02T12:30+08:00", 5, "2026-03-02T18:00+08:00"),
        ("2026-03-06T17:00+08:00", 2, "2026-03-09T10:00+08:00"),
        ("2026-03-07T03:00+08:00", 1, "2026-03-09T10:00+08:00"),
        ("2026-03-02T09:00+08:00", 0, "2026-03-02T09:00+08:00"),
    ],
)
def test_x8_a_term_in_working_hours_leaves_out_nights_lunch_and_weekends(
    start: str, hours: int, due: str
) -> None:
    assert add_time(WEEKDAYS, at(start), hours * HOUR) == at(due)


def test_x8_holidays_are_left_out_and_a_make_up_day_on_a_saturday_counts() -> None:
    begun = at("2026-09-30T17:00+08:00")
    assert add_time(GOLDEN_WEEK, begun, 9 * HOUR) == at("2026-10-08T18:00+08:00")
    assert add_time(GOLDEN_WEEK, begun, 18 * HOUR) == at("2026-10-10T10:00+08:00")
    assert add_time(WEEKDAYS, begun, 9 * HOUR) == at("2026-10-01T18:00+08:00")


def test_x8_years_of_holidays_are_counted_to_the_second() -> None:
    years = frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(3 * 365))
    calendar = replace(WEEKDAYS, holidays=years)
    assert add_time(calendar, at("2026-01-01T00:00+08:00"), HOUR + SECOND) == at(
        "2029-01-01T10:00:01+08:00"
    )


def test_x8_a_day_of_23_and_one_of_25_hours_count_as_what_they_are() -> None:
    whole = Calendar(zone="Europe/Berlin")
    spring, autumn = at("2026-03-29T00:00+01:00"), at("2026-10-25T00:00+02:00")
    assert time_between(whole, spring, at("2026-03-30T00:00+02:00")) == 23 * HOUR
    assert time_between(whole, autumn, at("2026-10-26T00:00+01:00")) == 25 * HOUR
    assert add_time(whole, spring, 24 * HOUR) == at("2026-03-30T01:00+02:00")


def test_x8_every_minute_that_clocks_leap_over_is_the_moment_of_the_leap() -> None:
    leap = at("2026-03-29T03:00+02:00")
    minutes = range(2 * 60, 3 * 60 + 1)
    begun = {first_instant(ZoneInfo("Europe/Berlin"), leap.date(), minute) for minute in minutes}
    assert begun == {leap}


def test_x8_a_time_that_clocks_leap_over_is_the_leap_and_one_shown_twice_is_the_first() -> None:
    early = replace(WEEKDAYS, zone="Europe/Berlin", week=(((150, 180),),) * 7)
    assert add_time(early, at("2026-03-29T00:00+01:00"), SECOND) == at("2026-03-30T02:30:01+02:00")
    assert add_time(early, at("2026-10-25T00:00+02:00"), SECOND) == at("2026-10-25T02:30:01+02:00")
    across = replace(early, week=(((60, 150),),) * 7)
    assert time_between(across, at("2026-03-29T00:00Z"), at("2026-03-29T12:00Z")) == HOUR


@pytest.mark.parametrize("week", [((),) * 7, (((600, 600),),) + ((),) * 6, (OFFICE,) * 6])
def test_x8_a_calendar_in_which_no_clock_could_run_out_is_refused(week: tuple[Spans, ...]) -> None:
    with pytest.raises(ValueError, match="working time"):
        Calendar(week=week)


CALENDARS = st.sampled_from([ALWAYS, WEEKDAYS, GOLDEN_WEEK, Calendar(zone="America/St_Johns")])
INSTANTS = st.integers(0, 366 * 86_400).map(lambda seconds: NOTICE + seconds * SECOND)
TERMS = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=20))


@settings(deadline=None)
@given(CALENDARS, INSTANTS, TERMS)
def test_x8_the_time_between_start_and_due_is_the_term_and_no_earlier_instant_is(
    calendar: Calendar, start: datetime, term: timedelta
) -> None:
    due = add_time(calendar, start, term)
    assert time_between(calendar, start, due) == term
    if term:
        assert time_between(calendar, start, due - timedelta(microseconds=1)) < term


@settings(deadline=None)
@given(CALENDARS, INSTANTS, TERMS, TERMS)
def test_x8_a_longer_term_is_never_due_earlier(
    calendar: Calendar, start: datetime, term: timedelta, more: timedelta
) -> None:
    through = add_time(calendar, add_time(calendar, start, term), more)
    assert add_time(calendar, start, term + more) == through


def test_x6_an_end_at_23_59_59_and_at_24_00_00_is_in_time_and_at_24_00_01_late() -> None:
    for seconds, judged in ((-1, "done"), (0, "done"), (1, "done_late")):
        end = NOTICE + 24 * HOUR + seconds * SECOND
        assert standing(REBUTTAL, end, end) == judged


def test_x8_a_clock_runs_then_warns_then_is_missed_for_ever() -> None:
    due = NOTICE + 24 * HOUR
    assert (warn_at(REBUTTAL), due_at(REBUTTAL)) == (due - 4 * HOUR, due)
    seen = [(-5 * HOUR, "running"), (-4 * HOUR, "warned"), (0 * HOUR, "warned")]
    for since, judged in [*seen, (SECOND, "missed"), (90_000 * HOUR, "missed")]:
        assert standing(REBUTTAL, None, due + since) == judged
    assert standing(REBUTTAL, due + HOUR, due + 90_000 * HOUR) == "done_late"


def test_x8_a_pause_moves_what_is_left_behind_it_and_counts_once_where_two_overlap() -> None:
    first = Pause(start=NOTICE + 10 * HOUR, end=NOTICE + 20 * HOUR, reason="等待物流")
    second = Pause(start=NOTICE + 15 * HOUR, end=NOTICE + 30 * HOUR, reason="节假日")
    paused = replace(REBUTTAL, pauses=(second, first))
    assert due_at(paused) == NOTICE + 44 * HOUR
    assert warn_at(paused) == NOTICE + 40 * HOUR


def test_x8_at_the_instant_of_its_start_a_pause_holds_and_at_that_of_its_end_no_more() -> None:
    stop, go = NOTICE + 10 * HOUR, NOTICE + 20 * HOUR
    paused = replace(REBUTTAL, pauses=(Pause(start=stop, end=go),))
    moments = (stop - SECOND, stop, go - SECOND, go)
    seen = [standing(paused, None, moment) for moment in moments]
    assert seen == ["running", "paused", "paused", "running"]


def test_x8_an_open_pause_has_no_due_time_and_comes_too_late_for_what_was_missed() -> None:
    def paused_after(hours: int) -> Clock:
        return replace(REBUTTAL, pauses=(Pause(start=NOTICE + hours * HOUR),))

    assert due_at(paused_after(23)) is None
    assert standing(paused_after(23), None, NOTICE + 22 * HOUR) == "warned"
    assert standing(paused_after(23), None, NOTICE + 500 * HOUR) == "paused"
    assert due_at(paused_after(25)) == NOTICE + 24 * HOUR
    assert standing(paused_after(25), None, NOTICE + 500 * HOUR) == "missed"


BEGAN = at("2026-03-02T10:00:00Z")
HALF_AN_HOUR = timedelta(minutes=30)


def field(made: timedelta, arrived: timedelta, *, bounds: timedelta = timedelta()) -> FieldTerm:
    """F3: made and arrived so long after the talk."""
    return FieldTerm(
        began=Moment(low=BEGAN, high=BEGAN),
        made=Moment(low=BEGAN + made - bounds, high=BEGAN + made + bounds),
        arrived_at=BEGAN + arrived,
        term=HALF_AN_HOUR,
    )


@pytest.mark.parametrize(
    ("made", "arrived", "verdict"),
    [
        (29 * 60, 30 * 60, "made_in_time"),
        (30 * 60, 30 * 60 + 1, "arrived_late"),
        (30 * 60, 30 * 86_400, "arrived_late"),
        (30 * 60 + 1, 31 * 60, "made_late"),
        (32 * 60, 31 * 60, "uncertain"),
    ],
)
def test_x8_made_in_time_and_arrived_late_is_told_from_made_late(
    made: int, arrived: int, verdict: str
) -> None:
    assert judge_field_term(field(made * SECOND, arrived * SECOND)) == verdict


@pytest.mark.parametrize(
    ("made", "verdict"),
    [(24, "arrived_late"), (26, "uncertain"), (34, "uncertain"), (36, "made_late")],
)
def test_x8_where_the_bounds_of_the_offset_allow_either_a_field_term_is_uncertain(
    made: int, verdict: str
) -> None:
    minute = timedelta(minutes=1)
    assert judge_field_term(field(made * minute, 90 * minute, bounds=5 * minute)) == verdict


def test_x8_a_device_clock_that_is_years_ahead_makes_nothing_in_time() -> None:
    ahead = Moment(low=BEGAN + timedelta(days=900), high=BEGAN + timedelta(days=900))
    assert judge_field_term(replace(field(SECOND, SECOND), began=ahead)) == "uncertain"
    assert judge_field_term(replace(field(SECOND, SECOND), made=ahead)) == "uncertain"
