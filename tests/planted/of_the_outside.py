"""Bugs of what is told to the outside: events and their deliveries."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from server.outward.engine import Outward
from server.outward.reports import Report
from server.outward.tables import Delivery
from server.values import replace
from tests.planted.bug import Bed

BED = Bed()
Note = Callable[[Delivery, Report, datetime, Outward], None]


@BED.bug(
    "server.outward.delivering:_note",
    breaks="P8",
)
def what_a_receiver_refused_counts_as_arrived(note: Note) -> Note:
    """An event that its receiver could not take is noted as delivered, and never tried again."""

    def faulty(one: Delivery, report: Report, now: datetime, outward: Outward) -> None:
        note(one, replace(report, arrived=True), now, outward)

    return faulty


@BED.bug(
    "server.outward.backoff:next_try",
    breaks="P8",
)
def a_receiver_is_given_up_at_once(_next: Callable[..., Any]) -> Callable[..., Any]:
    """What a receiver did not take at the first try is given up."""

    def faulty(*_given: Any, **_more: Any) -> None:
        return None

    return faulty
