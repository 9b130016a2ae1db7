"""When people work, and time counted in it: weeks, holidays and make-up days of one zone. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from server.values import Value

Spans = tuple[tuple[int, int], ...]
"""Stretches of a local day, each from and to in minutes since its midnight; 1440 is the next."""

ROUND_THE_CLOCK: Spans = ((0, 1440),)


class Calendar(Value, frozen=True):
    """Working time. Raises ``ValueError`` where no day of the week has any."""

    zone: str = "UTC"
    """Name of a time zone as in the IANA database."""
    week: tuple[Spans, ...] = (ROUND_THE_CLOCK,) * 7
    """Monday first."""
    holidays: frozenset[date] = frozenset()
    workdays: Mapping[date, Spans] = {}
    """Days with hours of their own, such as make-up days; they count before week and holidays."""

    def __post_init__(self) -> None:
        """A week without working time would let no clock ever run out."""
        if len(self.week) != 7 or not any(map(_has_time, self.week)):
            raise ValueError("a calendar needs seven days, and working time on one of them")

    def spans_of(self, day: date) -> Spans:
        """The working time of ``day``."""
        if day in self.workdays:
            return self.workdays[day]
        return () if day in self.holidays else self.week[day.weekday()]


def _has_time(spans: Spans) -> bool:
    return any(opens < closes for opens, closes in spans)


ALWAYS = Calendar()
"""Every hour of every day, so that a term is just so long."""


def add_time(calendar: Calendar, start: datetime, term: timedelta) -> datetime:
    """The first instant, in UTC, at which ``term`` of working time has passed since ``start``.

    Raises ``OverflowError`` where that lies beyond the year 9999.
    """
    if term <= timedelta():
        return start.astimezone(UTC)
    stretches, left = _stretches(calendar, start), term
    begin, end = next(stretches)
    while left > end - begin:
        left -= end - begin
        begin, end = next(stretches)
    return begin + left


def time_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Working time from ``start`` to ``end``; none where ``end`` comes first."""
    passed = timedelta()
    if end <= start:
        return passed
    for begin, finish in _stretches(calendar, start):
        if begin >= end:
            break
        passed += min(finish, end) - begin
    return passed


def _stretches(calendar: Calendar, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Working time from ``start`` on, in UTC and in order, without an end."""
    zone = ZoneInfo(calendar.zone)
    day = start.astimezone(zone).date()
    start = start.astimezone(UTC)
    while True:
        for opens, closes in calendar.spans_of(day):
            begin = max(start, first_instant(zone, day, opens))
            end = first_instant(zone, day, closes)
            if begin < end:
                yield begin, end
        day += timedelta(days=1)


@lru_cache(maxsize=4096)
def first_instant(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """The first instant, in UTC, at which the local clock has come to ``minute`` of ``day``.

    Where clocks go back it is the earlier of two, where they jump over it the moment of the jump.
    Remembered, as the clocks of a day's work count from few days and hours.
    """
    wall = datetime.combine(day, time(), zone) + timedelta(minutes=minute)
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone) == wall:
        return instant
    return _jump(zone, wall.replace(fold=1).astimezone(UTC), instant)


def _jump(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment between ``before`` and ``after`` at which the clocks of ``zone`` jump."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
