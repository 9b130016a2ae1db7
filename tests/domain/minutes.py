"""X8 written from the rules alone, by looking at one minute after the other. Slow, and on its own.

Time is worked in or not, minute by minute; a clock runs in a minute that is worked in and lies in
no pause. The clock on the wall counts as far as it has ever come: an hour that it shows twice is
one long hour, and a minute that it leaps over lasts for nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

Hours = list[tuple[int, int]]
"""From and to, in minutes of the day."""


@cache
def shown_on_the_wall(zone: str, day: date) -> list[tuple[date, int]]:
    """For each minute of ``day`` in UTC the furthest local date and minute that was ever shown."""
    place, shown = ZoneInfo(zone), []
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    furthest = (midnight - timedelta(days=2)).replace(tzinfo=None)
    for minute in range(-180, 1440):
        local = (midnight + timedelta(minutes=minute)).astimezone(place).replace(tzinfo=None)
        furthest = max(furthest, local)
        if minute >= 0:
            shown.append((furthest.date(), furthest.hour * 60 + furthest.minute))
    return shown


@dataclass
class WorkingTime:
    """A week from Monday on, days off, and days with hours of their own."""

    zone: str
    week: list[Hours]
    days_off: set[date] = field(default_factory=set)
    own_hours: dict[date, Hours] = field(default_factory=dict)
    _known: dict[date, list[bool]] = field(default_factory=dict)

    def _hours_of(self, day: date) -> Hours:
        if day in self.own_hours:
            return self.own_hours[day]
        if day in self.days_off:
            return []
        return self.week[day.weekday()]

    def is_worked_in(self, instant: datetime) -> bool:
        """Whether the minute of ``instant`` is working time."""
        day = instant.date()
        if day not in self._known:
            self._known[day] = [
                any(opens <= minute < closes for opens, closes in self._hours_of(local))
                for local, minute in shown_on_the_wall(self.zone, day)
            ]
        return self._known[day][instant.hour * 60 + instant.minute]


@dataclass
class Course:
    """One clock, with everything that was known of it at some time; ``step`` in seconds."""

    hours: WorkingTime
    start: datetime
    term: int
    """In seconds, as ``warn``."""
    warn: int
    pauses: list[tuple[datetime, datetime | None]]
    end: datetime | None
    step: int = 60

    def _used(self) -> Iterator[tuple[datetime, int, bool]]:
        """Each moment with the seconds that were used up by then, and whether it stands still."""
        now, used, step = self.start, 0, timedelta(seconds=self.step)
        while True:
            covering = [
                end for begin, end in self.pauses if begin <= now and not (end and end <= now)
            ]
            yield now, used, None in covering
            if not covering and self.hours.is_worked_in(now):
                used += self.step
            now += step

    def reaches(self, seconds: int) -> datetime | None:
        """When so much is used up; None where a pause without an end comes before."""
        for now, used, for_ever in self._used():
            if used >= seconds:
                return now
            if for_ever:
                return None
        return None

    def looks(self, at: datetime) -> str:
        """How it stands at ``at``, from what is known by then."""
        begun = [(begin, end) for begin, end in self.pauses if begin <= at]
        known = [(begin, None if end and end > at else end) for begin, end in begun]
        then = Course(self.hours, self.start, self.term, self.warn, known, None, self.step)
        due = warned = None
        for now, used, for_ever in then._used():
            warned = warned or (now if used >= self.term - self.warn else None)
            due = due or (now if used >= self.term else None)
            if due or now >= at or for_ever:
                break
        if self.end is not None and self.end <= at:
            return "done_late" if due and due < self.end else "done"
        if due is None and for_ever:
            return "paused"
        if due and due < at:
            return "missed"
        return "warned" if warned and warned <= at else "running"
