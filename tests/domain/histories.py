"""Random courses of a clock, and the server's answer beside that of the rules.

``python -m tests.domain.histories --count 10000 --seed 1`` compares so many of them; status 1 if
any differs.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import msgspec

from server.casework import deadlines
from server.casework.calendars import Calendar
from server.casework.deadlines import Clock, Pause
from server.casework.queries import OpenWork
from server.roles import Role
from server.values import replace as changed
from tests.domain.minutes import Course, Hours, WorkingTime

ZONES = (
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
)
TURNS = (
    date(2026, 3, 29),  # Berlin, forth
    date(2026, 10, 25),  # Berlin, back
    date(2026, 3, 8),  # St John's and Havana, forth
    date(2026, 11, 1),  # St John's and Havana, back
    date(2010, 11, 7),  # St John's, back across midnight
    date(2026, 4, 5),  # Lord Howe, back by half an hour
    date(2026, 10, 4),  # Lord Howe, forth by half an hour
    date(2026, 4, 24),  # Cairo, forth at midnight
    date(2026, 10, 30),  # Cairo, back to the day before
    date(2011, 12, 30),  # Apia leaves the day out
    date(2026, 10, 1),  # Shanghai, a week of holidays with make-up days around it
)
OFFICE: Hours = [(9 * 60, 12 * 60), (13 * 60, 18 * 60)]
NIGHT: Hours = [(0, 2 * 60 + 30), (22 * 60 + 15, 24 * 60)]
BETWEEN: Hours = [(15, 75), (75, 150), (150, 23 * 60 + 30)]
WHOLE: Hours = [(0, 24 * 60)]
FAR = datetime(9999, 1, 1, tzinfo=UTC)
WEEKS = (
    [OFFICE] * 5 + [[], []],
    [OFFICE] * 6 + [[]],
    [NIGHT] * 7,
    [BETWEEN] * 7,
    [WHOLE] * 7,
    [WHOLE, OFFICE, NIGHT, [], BETWEEN, [], [(600, 615)]],
)


def random_course(chance: Random) -> Course:
    """A clock that begins around a day on which something is unusual."""
    step = 1 if chance.random() < 0.03 else 60
    turn = datetime.combine(chance.choice(TURNS), datetime.min.time(), UTC)
    start = turn + timedelta(seconds=step * chance.randrange(-4 * 86400 // step, 86400 // step))
    term = step * chance.choice((1, 30, 12 * 60, 24 * 60, chance.randrange(1, 40 * 60)))
    course = Course(
        hours=_working_time(chance, turn.date()),
        start=start,
        term=term,
        warn=step * chance.choice((0, 5, 60, term // step, chance.randrange(0, term // step + 1))),
        pauses=list(_pauses(chance, start, step)),
        end=None,
        step=step,
    )
    return replace(course, end=_end(chance, course))


def _working_time(chance: Random, around: date) -> WorkingTime:
    days = [around + timedelta(days=offset) for offset in range(-5, 9)]
    return WorkingTime(
        zone=chance.choice(ZONES),
        week=chance.choice(WEEKS),
        days_off=set(chance.sample(days, chance.choice((0, 1, 3, 7)))),
        own_hours={day: chance.choice((OFFICE, NIGHT, [])) for day in chance.sample(days, 2)},
    )


def _pauses(
    chance: Random, start: datetime, step: int
) -> Iterator[tuple[datetime, datetime | None]]:
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        begin = start + timedelta(seconds=step * chance.randrange(-600, 4000))
        last = timedelta(seconds=step * chance.randrange(0, 3000))
        yield begin, None if chance.random() < 0.15 else begin + last


def _end(chance: Random, course: Course) -> datetime | None:
    due = course.reaches(course.term)
    at_random = course.start + timedelta(seconds=course.step * chance.randrange(0, 3000))
    if due is None:
        return chance.choice((None, at_random))
    second = timedelta(seconds=1)
    return chance.choice((None, at_random, due, due - second, due + second))


def _spans(hours: Hours) -> tuple[tuple[int, int], ...]:
    return tuple(hours)


def as_clock(course: Course) -> Clock:
    """The same for the server."""
    hours = course.hours
    calendar = Calendar(
        zone=hours.zone,
        week=tuple(map(_spans, hours.week)),
        holidays=frozenset(hours.days_off),
        workdays={day: _spans(own) for day, own in hours.own_hours.items()},
    )
    return Clock(
        started_at=course.start,
        term=timedelta(seconds=course.term),
        calendar=calendar,
        warn=timedelta(seconds=course.warn),
        pauses=tuple(Pause(start=begin, end=end, reason="…") for begin, end in course.pauses),
    )


def standing(clock: Clock, ended: datetime | None, at: datetime) -> str:
    """How the office shows at ``at`` a clock of which it knows what had happened by then."""
    begun = [pause for pause in clock.pauses if pause.start <= at]
    known = [changed(one, end=one.end if one.end and one.end <= at else None) for one in begun]
    then = changed(clock, pauses=tuple(known))
    due, warned = deadlines.due_at(then), deadlines.warn_at(then)
    work = OpenWork(
        key=1,
        record="",
        kind="",
        region=None,
        role=Role.MARKET_OFFICER,
        task="",
        person=None,
        opened_at=clock.started_at,
        due_at=due or FAR,
        warned_at=warned if warned and warned <= at else None,
        missed_at=None,
        escalated_to=None,
        pause=None if due else "…",
        pauses=(),
        closed_at=ended if ended and ended <= at else None,
        closed_by=None,
    )
    return work.standing(at)


def restarted(clock: Clock) -> Clock:
    """What a server that starts again reads of what it had written."""
    return msgspec.json.decode(msgspec.json.encode(clock), type=Clock)


def differences(chance: Random, course: Course) -> list[str]:
    """Each question on which the two disagree."""
    clock = restarted(as_clock(course))
    step = timedelta(seconds=course.step)
    moments = [course.start + step * chance.randrange(0, 4000) for _ in range(2)]
    due = course.reaches(course.term)
    if due is not None:
        second = timedelta(seconds=1)
        moments += [due - second, due, due + second]
    asked = {
        "due_at": (deadlines.due_at(clock), due),
        "warn_at": (deadlines.warn_at(clock), course.reaches(course.term - course.warn)),
    }
    for at in moments:
        asked[f"standing {at}"] = (standing(clock, course.end, at), course.looks(at))
    return [
        f"{what}: {given} is not {right}"
        for what, (given, right) in asked.items()
        if given != right
    ]


def compare(seed: int) -> list[str]:
    """The differences in the course that ``seed`` gives."""
    chance = Random(seed)
    course = random_course(chance)
    return [f"seed {seed}: {said}" for said in differences(chance, course)]


def main() -> None:
    """Compares, and says what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.domain.histories")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found = [said for seed in range(asked.seed, asked.seed + asked.count) for said in compare(seed)]
    sys.stdout.write(
        "\n".join([*found, f"{asked.count} histories, {len(found)} differences"]) + "\n"
    )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
