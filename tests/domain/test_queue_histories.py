"""X8: clocks as the store keeps them, through pauses and ticks, beside the reference by minutes."""

from dataclasses import replace as changed
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select

from server.casework import queue
from server.casework.clocks import tick
from server.casework.items import OpenItem
from server.casework.queue import Asked
from server.casework.tables import Item
from server.clock import from_wire
from server.db import transaction
from server.people.principal import Role
from server.values import replace
from tests.company import Company
from tests.domain.histories import as_clock, random_course
from tests.domain.minutes import Course

MOMENT = timedelta(milliseconds=1)


def course_of(seed: int) -> Course:
    """A clock whose pauses come one after the other, each of them ending."""
    chance = Random(seed)
    course, stops, at = random_course(chance), [], 0
    for _ in range(chance.choice((0, 1, 2, 3))):
        begin = at + chance.randrange(1, 2000)
        at = begin + chance.randrange(1, 2000)
        stops.append((begin, at))
    step = timedelta(seconds=course.step)
    pauses = [(course.start + begin * step, course.start + end * step) for begin, end in stops]
    return changed(course, pauses=pauses, end=None)


class Kept:
    """One clock in the store, read anew for every step as a server does that was restarted."""

    def __init__(self, company: Company, course: Course) -> None:
        self.store = company.store
        self.record = company.services.ids.new()
        clock = as_clock(course)
        self.item = OpenItem(
            Role.MARKET_OFFICER,
            "intake",
            term=clock.term,
            calendar=clock.calendar,
            warn=clock.warn,
            escalation=(Role.SALES_DIRECTOR,),
        )

    def ask(self, at: datetime, *, pause: str = "", is_new: bool = False) -> None:
        """What the record asks for at ``at``."""
        waits = (replace(self.item, pause=pause),)
        asked = Asked(is_new=is_new, record=self.record, kind="case", region=None, waits=waits)
        with transaction(self.store):
            queue.apply(self.store, [asked], by="test", at=at)
        self.store.expunge_all()

    def row(self) -> Item:
        """The clock as it stands."""
        self.store.rollback()
        self.store.expire_all()
        return self.store.scalars(select(Item).where(Item.record == self.record)).one()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_x8_a_clock_in_the_store_warns_and_is_due_when_the_reference_says_through_all_its_pauses(
    company: Company,
) -> None:
    for seed in range(12):
        course = course_of(seed)
        kept = Kept(company, course)
        kept.ask(course.start, is_new=True)
        for begin, end in course.pauses:
            assert end is not None
            tick(kept.store, begin)
            kept.ask(begin, pause="等待物流")
            tick(kept.store, end)
            kept.ask(end)
        due = course.reaches(course.term)
        assert due is not None
        assert from_wire(kept.row().due_at) == due, seed
        assert from_wire(kept.row().warn_at) == course.reaches(course.term - course.warn), seed
        tick(kept.store, due)
        missed = kept.row().missed_at
        assert (missed is not None) == any(begin > due for begin, _end in course.pauses), seed
        tick(kept.store, due + MOMENT)
        row = kept.row()
        assert row.missed_at is not None, seed
        assert row.escalated_to == Role.SALES_DIRECTOR, seed
