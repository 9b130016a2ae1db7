"""A week in the life of the demonstration company: every role, every sort of case, one clock."""

import html
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from server.app import create_app, open_store
from server.casework.queries import all_work
from server.demo.company import OFFICE_NAMES
from server.extensions import db
from server.people.principal import Role
from server.policies.reading import DEFAULTS
from server.settings import Settings
from server.sync.queries import find_records
from tests.company import ORIGIN, FixedClock
from tests.e2e.week.player import MONDAY, Week
from tests.e2e.week.story import Story
from tests.e2e.week.tables import ALLIANCE, STORIES

ALLIANCES = "[cases.alliances]"
PARKED = "parked"
RENEWAL = "a licence that is to be renewed"
OFFICE: tuple[str, ...] = (*OFFICE_NAMES, Role.REGION_MANAGER)
"""Everybody who has a desk."""


@pytest.fixture
def week(tmp_path: Path, sqlite_template: Path) -> Iterator[Week]:
    """The company on Monday morning."""
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULTS.read_text("utf-8").replace(ALLIANCES, f"{ALLIANCES}\n{ALLIANCE}\n"))
    settings = Settings(data=tmp_path / "data", policy=policy, origins=(ORIGIN,))
    settings.data.mkdir()
    shutil.copy(sqlite_template, settings.data / "fieldstamp.sqlite")
    clock = FixedClock(MONDAY + timedelta(hours=8))
    app = create_app(settings, clock=clock)
    app.testing = True
    open_store(app)
    week = Week(app, clock, tmp_path)
    week.begin()
    yield week
    for handset in week.devices.values():
        handset.client.close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def told_at_the_device(week: Week, story: Story) -> dict[str, object]:
    """What the device that found it knows of it in the end."""
    record = week.device_of(story).get(week.records[story.name])
    points = {one["point"]: one["result"] for one in record.get("check_points", ())}
    return {
        "state": record.get("state", ""),
        "flags": tuple(record.get("flags", ())),
        "points": {name: points[name] for name in story.points},
        "accused": record.get("derived_accused", ""),
        "decision": record.get("verdict_note", ""),
    }


def meant(week: Week, story: Story) -> dict[str, object]:
    """What it should know."""
    return {
        "state": story.ends,
        "flags": story.flags,
        "points": story.points,
        "accused": week.customers.get(story.accused, ""),
        "decision": next(reversed(week.notes[story.name]), ""),
    }


def read(week: Week) -> tuple[dict[str, str], dict[str, str]]:
    """X8, X14: story → the tasks that anybody had, marked where they were missed; its penalty."""
    with week.app.app_context():
        session = db.session()
        ran = {
            name: " ".join(sorted(f"{work.task}{'!' * bool(work.missed_at)}" for work in works))
            for name, record in week.records.items()
            for works in [all_work(session, record)]
        }
        records = find_records(session, week.penalties.values())
        penalties = {
            name: str(records[penalty].data["state"]) for name, penalty in week.penalties.items()
        }
        db.session.remove()
    return ran, penalties


def queues(week: Week) -> dict[str, set[str]]:
    """B1: what waits for everybody in the office, by name."""
    names = {record: name for name, record in week.records.items()}
    named = {**names, week.licence: RENEWAL}
    return {
        role: {named.get(record, record) for record in week.desk(role).queue()} for role in OFFICE
    }


def test_b1_b2_x1_x15_f2_f5_f7_a_week_ends_with_every_case_where_the_rules_put_it(
    week: Week,
) -> None:
    week.play(STORIES)
    for handset in week.devices.values():
        while not handset.client.status().synced:
            handset.client.sync().run()
    stories = [story for story in STORIES if story.ends != PARKED]
    ends = {story.name: told_at_the_device(week, story) for story in stories}
    assert ends == {story.name: meant(week, story) for story in stories}
    ran, penalties = read(week)
    assert ran == {story.name: " ".join(sorted(story.clocks.split())) for story in STORIES}
    assert penalties == {story.name: story.penalty for story in STORIES if story.penalty}
    waits = {role: {story.name for story in STORIES if role in story.waits_for} for role in OFFICE}
    waits["region_manager"].add(RENEWAL)
    assert queues(week) == waits
    parked = {one["record"] for one in week.devices["rep"].client.parked()}
    assert parked == {week.records[story.name] for story in STORIES if story.ends == PARKED}
    reader = week.desk("sales_director")
    for story in stories:
        page = html.unescape(reader.page(f"/records/{week.records[story.name]}"))
        assert [note for note in week.notes[story.name] if note not in page] == []
