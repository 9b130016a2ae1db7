"""X8: what one clock has to say at a moment, in the time of the calendar that it was begun with."""

from datetime import datetime, timedelta

import msgspec

from server.casework.calendars import ALWAYS, Calendar, add_time
from server.casework.tables import Item
from server.clock import from_wire, to_wire

NEVER = "9999-12-31T00:00:00.000Z"


def after(due: datetime) -> str:
    """The first moment that is too late: what is done in its last moment is done in time."""
    return to_wire(due + timedelta(milliseconds=1))


def write_calendar(calendar: Calendar) -> str | None:
    """``calendar`` as an item keeps it; None for every hour of every day."""
    return None if calendar == ALWAYS else msgspec.json.encode(calendar).decode()


def calendar_of(row: Item) -> Calendar:
    """The calendar as it was when the clock began, whatever the policy says of it today."""
    return msgspec.json.decode(row.calendar, type=Calendar) if row.calendar else ALWAYS


def tell(row: Item, now: datetime) -> None:
    """Says what is to be said at ``now``: soon due, missed, told to the next."""
    due = from_wire(row.due_at)
    if now <= due:
        row.warned_at, row.next_at = row.warned_at or to_wire(now), after(due)
        return
    row.missed_at = row.missed_at or to_wire(now)
    told = row.escalation.split()
    while row.escalated < len(told) and _told_at(row, due) <= now:
        row.escalated += 1
        row.escalated_to = told[row.escalated - 1]
    row.next_at = to_wire(_told_at(row, due)) if row.escalated < len(told) else NEVER


def tell_if_missed(row: Item, now: datetime) -> None:
    """The same, at once, for what was missed between two ticks and changes before the next."""
    if row.paused_at is None and now > from_wire(row.due_at):
        tell(row, now)


def _told_at(row: Item, due: datetime) -> datetime:
    """When the next role is told: at once, then each time when as long again has passed."""
    again = timedelta(seconds=max(row.term_seconds, 1) * row.escalated)
    return add_time(calendar_of(row), due, again)
