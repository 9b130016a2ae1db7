"""What a kind asks for when a record changes: values, written in the record's transaction. Pure."""

from datetime import datetime, timedelta

from server.casework.calendars import ALWAYS, Calendar
from server.people.principal import Role
from server.values import Value


class OpenItem(Value, frozen=True, kw_only=False):
    """B1: somebody in ``role`` must act on the record within ``term`` (X8)."""

    role: Role
    task: str
    """What is to be done, a key of the back office's translations: ``review``, ``intake`` …"""
    term: timedelta
    calendar: Calendar = ALWAYS
    """In whose time the term counts."""
    warn: timedelta = timedelta(0)
    """So long before it is due, it is said that time runs out."""
    escalation: tuple[Role, ...] = ()
    """Who is told when it is missed, one after the other, each after as long again."""
    pause: str = ""
    """The reason why the clock stands still; empty: it runs."""
    person: str | None = None
    """The one who shall do it; None: whoever has the role there."""
    goes_on: bool = False
    """What ended it was taken back: its clock goes on as if it had never ended."""
    anew: bool = False
    """Its clock begins again, though the task waited already; where it also goes on, that is taken
    back, and the clock before it goes on."""
    since: datetime | None = None
    """When the clock began; None: with the change."""


Waits = tuple[OpenItem, ...] | None
"""All that waits for somebody from now on, one item a task; None: as before.

A task that waited already keeps its clock; what is no longer named has been done.
"""
