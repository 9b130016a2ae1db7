"""The policy's terms and calendars as the values that clocks are made of. Pure."""

from collections.abc import Iterable
from datetime import timedelta

from server.casework.calendars import ALWAYS, Calendar, Spans
from server.casework.items import OpenItem
from server.policy import ROUND_THE_CLOCK, Policy, Term
from server.policy import Calendar as Written
from server.roles import Role


def open_item(policy: Policy, term: Term, role: Role, task: str) -> OpenItem:
    """B1, X8: ``role`` must do ``task`` within ``term``, with its warning and who is told."""
    return OpenItem(
        role,
        task,
        term=length_of(term),
        calendar=calendar_of(policy, term),
        warn=timedelta(minutes=term.warning_minutes),
        escalation=term.escalate,
    )


def length_of(term: Term) -> timedelta:
    """How long ``term`` is, in the time of its calendar."""
    return timedelta(minutes=term.whole_minutes)


def calendar_of(policy: Policy, term: Term) -> Calendar:
    """The calendar that ``term`` runs by."""
    if term.calendar == ROUND_THE_CLOCK:
        return ALWAYS
    return _as_calendar(policy.calendars[term.calendar])


def _as_calendar(written: Written) -> Calendar:
    return Calendar(
        zone=written.zone,
        week=tuple(map(_spans, written.week)),
        holidays=frozenset(written.holidays),
        workdays={day: _spans(hours) for day, hours in written.workdays.items()},
    )


def _spans(day: Iterable[str]) -> Spans:
    return tuple((_minute(span[:5]), _minute(span[6:])) for span in day)


def _minute(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])
