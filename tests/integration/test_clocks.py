"""Clocks in the store: opened, warned, missed, told on, paused, taken back (X8, B1)."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from server.casework import queue
from server.casework.calendars import Calendar
from server.casework.clocks import tick
from server.casework.items import OpenItem
from server.casework.queries import OpenWork, all_work, open_work, told_since, waiting_for
from server.casework.queue import Asked
from server.casework.tables import Absence
from server.clock import to_wire
from server.db import transaction
from server.people.principal import Grant, Principal
from server.people.tables import RoleGrant, User
from server.roles import Role
from server.values import replace
from tests.company import Company

CASE = "01930000-0000-7000-8000-00000000c1a5"
START = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
INTAKE = OpenItem(
    Role.MARKET_OFFICER,
    "intake",
    24 * HOUR,
    warn=4 * HOUR,
    escalation=(Role.SALES_DIRECTOR, Role.GENERAL_MANAGER),
)


@pytest.fixture
def store(company: Company) -> Session:
    """A store with a company in it."""
    return company.store


def ask(store: Session, *waits: OpenItem, at: datetime, is_new: bool = False) -> None:
    """What a change at ``at`` asks for."""
    asked = Asked(record=CASE, kind="case", region="east", waits=waits, is_new=is_new)
    with transaction(store):
        queue.apply(store, [asked], by="somebody", at=at)


def only(store: Session) -> OpenWork:
    """The one open item of the case."""
    (work,) = open_work(store, [CASE])[CASE]
    return work


def test_x8_a_clock_warns_is_missed_and_told_to_one_after_the_other(store: Session) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    due = START + 24 * HOUR
    assert only(store).due_at == due
    seen = []
    for at in (
        due - 5 * HOUR,
        due - 4 * HOUR,
        due,
        due + timedelta(milliseconds=1),
        due + 24 * HOUR,
    ):
        tick(store, at)
        work = only(store)
        seen.append((work.standing(at), work.escalated_to))
    assert seen == [
        ("running", None),
        ("warned", None),
        ("warned", None),
        ("missed", Role.SALES_DIRECTOR),
        ("missed", Role.GENERAL_MANAGER),
    ]
    assert tick(store, due + 900 * HOUR) == 0


def test_x8_a_server_that_slept_tells_at_once_whoever_should_know_by_now(store: Session) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    tick(store, START + 100 * HOUR)
    assert only(store).escalated_to == Role.GENERAL_MANAGER


def test_x8_what_was_left_when_a_clock_stood_still_is_left_when_it_goes_on(store: Session) -> None:
    office = Calendar(zone="Asia/Shanghai", week=(((540, 1080),),) * 5 + ((), ()))
    work = replace(INTAKE, calendar=office, term=10 * HOUR)
    ask(store, work, at=START, is_new=True)  # a Friday, an hour before the office closes
    ask(store, replace(work, pause="supplement"), at=START + HOUR / 2)
    assert only(store).standing(START + 900 * HOUR) == "paused"
    assert tick(store, START + 900 * HOUR) == 0
    monday = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
    ask(store, work, at=monday)
    assert only(store).due_at == datetime(2026, 3, 10, 1, 30, tzinfo=UTC)
    assert only(store).pauses == ((START + HOUR / 2, monday, "supplement"),)


def test_x8_a_task_that_stays_keeps_its_clock_and_one_that_is_done_stays_visible(
    store: Session,
) -> None:
    trace = OpenItem(Role.LOGISTICS_OFFICER, "trace", 12 * HOUR)
    ask(store, INTAKE, trace, at=START, is_new=True)
    ask(store, INTAKE, at=START + 12 * HOUR)
    assert only(store).opened_at == START
    ask(store, at=START + 25 * HOUR)
    done = {work.task: work.standing(START + 99 * HOUR) for work in all_work(store, CASE)}
    assert done == {"trace": "done", "intake": "done_late"}


def test_b2_a_decision_that_is_taken_back_gives_its_clock_no_new_term(store: Session) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    ask(store, at=START + 20 * HOUR)
    ask(store, replace(INTAKE, goes_on=True), at=START + 20 * HOUR)
    assert only(store).due_at == START + 24 * HOUR
    assert len(all_work(store, CASE)) == 1


def test_b1_what_is_somebodys_waits_for_nobody_else_but_a_deputy(store: Session) -> None:
    def officer(name: str) -> Principal:
        grant = Grant(Role.MARKET_OFFICER, None)
        return Principal(user=name, name=name, session="", grants=(grant,))

    with transaction(store):
        store.add(User(id="li", username="li", name="李", created_at=START))
        store.flush()
        store.add(RoleGrant(user="li", role=Role.MARKET_OFFICER.value, region=None))
    ask(store, replace(INTAKE, person="li"), at=START, is_new=True)
    away = Absence(
        person="li",
        deputy="wang",
        begins_at=to_wire(START + HOUR),
        ends_at=to_wire(START + 2 * HOUR),
        noted_at=to_wire(START),
    )
    with transaction(store):
        store.add(away)
    waits = {
        (name, hours): len(waiting_for(store, officer(name), now=START + hours * HOUR))
        for name in ("li", "wang", "zhao")
        for hours in (0, 1, 2)
    }
    assert {key for key, count in waits.items() if count} == {
        ("li", 0), ("li", 1), ("li", 2), ("wang", 1),
    }  # fmt: skip


def test_x8_a_missed_item_waits_for_the_role_it_was_told_to_as_well(store: Session) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    tick(store, START + 25 * HOUR)
    director = Principal(
        user="d", name="d", session="", grants=(Grant(Role.SALES_DIRECTOR, frozenset({"east"})),)
    )
    elsewhere = replace_reach(director, "west")
    assert len(waiting_for(store, director, now=START + 25 * HOUR)) == 1
    assert waiting_for(store, elsewhere, now=START + 25 * HOUR) == ()


def replace_reach(principal: Principal, region: str) -> Principal:
    """The same person with the role in another region."""
    grant = Grant(Role.SALES_DIRECTOR, frozenset({region}))
    return Principal(user=principal.user, name=principal.name, session="", grants=(grant,))


OFFICE_HOURS = Calendar(week=(((540, 1020),),) * 5 + ((), ()))
"""09:00 to 17:00, Monday to Friday, UTC; START is a Friday at 09:00."""


def test_x8_a_missed_clock_is_told_on_in_the_time_of_its_own_calendar(store: Session) -> None:
    ask(store, replace(INTAKE, term=8 * HOUR, calendar=OFFICE_HOURS), at=START, is_new=True)
    monday = START + timedelta(days=3)
    told = []
    for at in (
        START + 9 * HOUR,
        START + 30 * HOUR,
        monday + timedelta(hours=7, minutes=59),
        monday + 8 * HOUR,
    ):
        tick(store, at)
        told.append(only(store).escalated_to)
    assert told == [Role.SALES_DIRECTOR] * 3 + [Role.GENERAL_MANAGER]


@pytest.mark.parametrize(("late", "standing"), [(0, "done"), (1, "done_late")])
def test_x8_what_is_done_late_between_two_ticks_is_missed_for_ever(
    store: Session, late: int, standing: str
) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    done = START + 24 * HOUR + timedelta(milliseconds=late)
    ask(store, at=done)
    (work,) = all_work(store, CASE)
    assert (work.standing(done), work.missed_at) == (standing, done if late else None)
    assert work.escalated_to == (Role.SALES_DIRECTOR if late else None)
    said = told_since(store, to_wire(START))
    assert [one.missed_at for one in said] == ([done] if late else [])


def test_x8_a_clock_that_was_missed_before_it_was_paused_is_shown_as_missed(
    store: Session,
) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    late = START + 25 * HOUR
    ask(store, replace(INTAKE, pause="laboratory"), at=late)
    assert (only(store).standing(late), only(store).missed_at) == ("missed", late)


def test_x8_what_is_done_while_its_clock_stands_still_is_done_in_time(store: Session) -> None:
    ask(store, INTAKE, at=START, is_new=True)
    ask(store, replace(INTAKE, pause="laboratory"), at=START + 23 * HOUR)
    done = START + 90 * HOUR
    assert only(store).standing(done) == "paused"
    ask(store, at=done)
    (work,) = all_work(store, CASE)
    assert (work.standing(done), work.missed_at) == ("done", None)


def test_x8_a_clock_that_goes_on_keeps_the_calendar_and_the_warning_it_was_begun_with(
    store: Session,
) -> None:
    old = replace(INTAKE, term=16 * HOUR, calendar=OFFICE_HOURS)
    ask(store, old, at=START, is_new=True)
    ask(store, replace(old, pause="laboratory"), at=START + 4 * HOUR)
    newer = replace(INTAKE, term=16 * HOUR, warn=HOUR)  # another policy: day and night
    ask(store, newer, at=START + 6 * HOUR)
    monday = START + timedelta(days=3)
    work = only(store)
    assert work.due_at == monday + timedelta(days=1, hours=2)
    tick(store, monday + timedelta(hours=5, minutes=59))
    assert only(store).warned_at is None
    tick(store, monday + 6 * HOUR)
    assert only(store).warned_at is not None
