"""X8: when clocks warn and are due, through their pauses, and how field terms were kept. Pure.

What is stored of a clock, and who is told when it runs out, is not decided here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from server.casework.calendars import ALWAYS, Calendar, add_time, time_between
from server.values import Value

FieldVerdict = Literal["made_in_time", "made_late", "arrived_late", "uncertain"]


class Pause(Value, frozen=True):
    """A time that does not count, with its reason; without ``end`` it goes on."""

    start: datetime
    end: datetime | None = None
    reason: str = ""


class Clock(Value, frozen=True):
    """X8: an office clock. All its times are the server's; no device clock reaches it."""

    started_at: datetime
    term: timedelta
    """Working time of ``calendar``, as ``warn`` is."""
    calendar: Calendar = ALWAYS
    warn: timedelta = timedelta()
    """How long before it is due somebody is reminded."""
    pauses: tuple[Pause, ...] = ()
    """In any order; they may overlap."""


def due_at(clock: Clock) -> datetime | None:
    """The instant at which the term has passed, and still in time; None while it is paused."""
    return _passed_at(clock, clock.term)


def warn_at(clock: Clock) -> datetime | None:
    """The instant at which no more than ``warn`` is left; None while it is paused before."""
    return _passed_at(clock, clock.term - clock.warn)


def _passed_at(clock: Clock, amount: timedelta) -> datetime | None:
    """The first instant at which the clock has run for ``amount``; None if a pause goes on."""
    left = amount
    if left <= timedelta():
        return clock.started_at
    for begin, end in _runs(clock):
        used = left if end is None else time_between(clock.calendar, begin, end)
        if left <= used:
            return add_time(clock.calendar, begin, left)
        left -= used
    return None


def _runs(clock: Clock) -> Iterator[tuple[datetime, datetime | None]]:
    """The stretches between the pauses; only the last may be without an end."""
    begin = clock.started_at
    for pause in sorted(clock.pauses, key=lambda pause: pause.start):
        if pause.start > begin:
            yield begin, pause.start
        if pause.end is None:
            return
        begin = max(begin, pause.end)
    yield begin, None


class Moment(Value, frozen=True):
    """When something happened on a device, in the server's time: not before, not after."""

    low: datetime
    high: datetime


class FieldTerm(Value, frozen=True):
    """X8: a term of the field, from what began it to the arrival. It flags, and permits nothing.

    The device's times are corrected by its offset, with the bounds of that correction.
    """

    began: Moment
    made: Moment
    arrived_at: datetime
    term: timedelta


def judge_field_term(field: FieldTerm) -> FieldVerdict:
    """X8: tells what was made in time and arrived late from what was made late.

    At the instant at which the term has passed it is in time. Where the bounds allow either, or
    say that it began or was made after it arrived, it is uncertain.
    """
    earliest, latest = field.began.low + field.term, field.began.high + field.term
    if max(field.began.low, field.made.low) > field.arrived_at:
        return "uncertain"
    if field.arrived_at <= earliest:
        return "made_in_time"
    if field.made.low > latest:
        return "made_late"
    if field.made.high <= earliest and field.arrived_at > latest:
        return "arrived_late"
    return "uncertain"
