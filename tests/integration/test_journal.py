"""What no device holds is kept in the journal before it is answered, and comes back from it."""

from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, text

from server.db import transaction
from server.errors import Problem
from server.journal.lines import JournalFault, Line
from server.people.principal import Role
from server.people.tables import Device, RoleGrant, User
from server.sync.epochs import current_epoch
from server.sync.queries import kept_about
from server.work.rounds import run_pending
from tests.company import Company
from tests.domain.desk import Desk
from tests.domain.records import visit
from tests.phone import Phone, customer
from tests.stores import copy_of, journal_of, put_back, start_again

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def desk(company: Company) -> Desk:
    """Devices and reviewers of the company."""
    return Desk(company)


def lines_of(app: Flask) -> list[Line]:
    """The journal; every line of it is whole."""
    read = [Line.read(raw) for raw in journal_of(app).read_bytes().splitlines(keepends=True)]
    assert None not in read
    return [line for line in read if line is not None]


def told(app: Flask) -> list[tuple[str, dict[str, Any]]]:
    """(table, row) of every change in the journal."""
    return [(change.name, change.row) for line in lines_of(app) for change in line.changes]


def a_visit(desk: Desk) -> str:
    """A visit that waits for review."""
    rep = desk.rep()
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    return desk.create(rep, "visit", **visit(customer=shop))


def test_p3_a_decision_is_in_the_journal_when_it_is_answered(app: Flask, desk: Desk) -> None:
    went, manager = a_visit(desk), desk.reviewer()
    desk.decide(manager, went, "accepted")
    [row] = [row for name, row in told(app) if name == "mutation"]
    body = orjson.loads(row["body"])
    assert (row["user"], body["record"], body["set"]["verdict"]) == (manager.user, went, "accepted")
    assert body["epoch"] == current_epoch(desk.company.store)


def test_p3_people_rights_and_devices_are_in_the_journal(app: Flask, company: Company) -> None:
    device = company.rep()
    company.revoke(device)
    with transaction(company.store):
        company.store.execute(delete(RoleGrant).where(RoleGrant.user == device.user))
    rows = [(name, row) for name, row in told(app) if device.user in row.values()]
    assert {name for name, _row in rows} == {"app_user", "role_grant", "device", "audit_entry"}
    keys = [row["public_key"] for name, row in rows if name == "device"]
    assert keys == [device.key.public_key().public_bytes_raw().hex().upper()] * 2
    assert [change.gone for line in lines_of(app)[-1:] for change in line.changes] == [True]


def test_what_devices_hold_themselves_is_not_in_the_journal(app: Flask, desk: Desk) -> None:
    a_visit(desk)
    assert "mutation" not in {name for name, _row in told(app)}


def test_the_journal_can_be_read_by_its_owner_only(app: Flask) -> None:
    assert journal_of(app).stat().st_mode & 0o777 == 0o600


def test_what_is_rolled_back_is_not_in_the_journal(app: Flask, company: Company) -> None:
    user = company.user()
    before = journal_of(app).read_bytes()

    def rename_and_fail() -> None:
        with transaction(company.store):
            company.store.get_one(User, user).name = "other"
            company.store.flush()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        rename_and_fail()
    company.user()
    assert "other" not in {row.get("name") for _table, row in told(app)}
    assert journal_of(app).read_bytes().startswith(before)


def test_p3_nothing_is_committed_that_the_journal_cannot_take(app: Flask, company: Company) -> None:
    device = company.rep()
    journal_of(app).unlink()
    with pytest.raises(JournalFault):
        company.revoke(device)
    company.store.expire_all()
    assert company.store.get_one(Device, device.id).revoked_at is None


def test_p6_a_store_put_back_takes_in_what_its_journal_has(
    app: Flask, company: Company, desk: Desk
) -> None:
    went, manager = a_visit(desk), desk.reviewer()
    lost = company.rep()
    copy, running = copy_of(app, "before.sqlite"), current_epoch(company.store)
    desk.decide(manager, went, "returned", guidance="下次带样品")
    fresh = company.device(company.user(Role.SALES_MANAGER, "east"))
    company.revoke(lost)
    put_back(app, copy)
    start_again(app)
    assert desk.data(went)["guidance"] == "下次带样品"
    assert company.store.get_one(Device, lost.id).revoked_at is not None
    key = company.store.get_one(Device, fresh.id).public_key
    assert key == fresh.key.public_key().public_bytes_raw()
    grants = select(RoleGrant.role).where(RoleGrant.user == fresh.user)
    assert company.store.scalar(grants) == Role.SALES_MANAGER
    assert current_epoch(company.store) != running


def test_p1_b2_decisions_that_follow_each_other_are_all_taken_in_again(
    app: Flask, desk: Desk
) -> None:
    went, manager = a_visit(desk), desk.reviewer()
    copy = copy_of(app, "before.sqlite")
    for verdict in ("returned", "rejected", "accepted"):
        desk.wait(minutes=1)
        desk.decide(manager, went, verdict)
    with pytest.raises(Problem, match="wrong_state"):
        desk.decide(manager, went, "returned", base=2)
    put_back(app, copy)
    start_again(app)
    told = desk.data(went)
    assert (told["verdict"], told["state"]) == ("accepted", "accepted")
    [kept] = kept_about(desk.company.store, went)
    assert kept.data["lost"]["verdict"] == "returned"


def test_p2_a_journal_that_was_taken_in_changes_nothing_the_next_time(
    app: Flask, company: Company, desk: Desk
) -> None:
    went, manager = a_visit(desk), desk.reviewer()
    copy = copy_of(app, "before.sqlite")
    desk.decide(manager, went, "accepted")
    company.rep()
    put_back(app, copy)
    start_again(app)
    stands, epoch = desk.record(went), current_epoch(company.store)
    written = journal_of(app).read_bytes()
    start_again(app)
    assert (desk.record(went), current_epoch(company.store)) == (stands, epoch)
    assert journal_of(app).read_bytes() == written


def test_p6_a_decision_on_a_record_that_is_not_back_yet_waits_for_it(
    app: Flask, company: Company, desk: Desk
) -> None:
    copy = copy_of(app, "empty.sqlite")
    rep, manager = desk.rep(), desk.reviewer()
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    went = desk.create(rep, "visit", **visit(customer=shop))
    desk.decide(manager, went, "accepted")
    bodies = company.store.scalars(text("SELECT body FROM mutation ORDER BY key")).all()
    put_back(app, copy)
    start_again(app)
    decided = text("SELECT outcome FROM mutation WHERE writer = 'office'")
    assert company.store.scalars(decided).all() == ["waiting"]
    [right] = company.store.scalars(select(RoleGrant).where(RoleGrant.user == manager.user))
    grant = {"user": right.user, "role": right.role, "region": right.region}
    with transaction(company.store):
        company.store.execute(delete(RoleGrant).where(RoleGrant.user == manager.user))
    for body in bodies[:2]:
        desk.push(rep, orjson.loads(body))
    assert company.store.scalars(decided).all() == ["waiting"], "it waits for its right, too"
    with transaction(company.store):
        company.store.add(RoleGrant(**grant))
    run_pending(app)
    assert company.store.scalars(decided).all() == ["conflict"]
    [kept] = kept_about(company.store, went)
    assert kept.data["lost"]["verdict"] == "accepted"


def test_a_kill_between_journal_and_commit_begins_no_epoch(app: Flask, company: Company) -> None:
    """The line is on the disk and its transaction is not: nobody was answered."""
    copy, running = copy_of(app, "before.sqlite"), current_epoch(company.store)
    user = company.user()
    put_back_one_line(app, company, copy)
    start_again(app)
    assert company.store.get_one(User, user).username == "rep1"
    assert current_epoch(company.store) == running


def put_back_one_line(app: Flask, company: Company, copy: Any) -> None:
    """The store as it was one line ago."""
    assert len(lines_of(app)) >= 2
    put_back(app, copy)


def test_p1_what_the_journal_brings_back_hides_no_older_copy(
    app: Flask, desk: Desk, client: FlaskClient
) -> None:
    """The store comes as far by it as the device has seen, which has seen something else."""
    went, manager = a_visit(desk), desk.reviewer()
    phone = Phone(client, desk.company.rep())
    copy = copy_of(app, "before.sqlite")
    phone.push(phone.create("customer", customer()))
    page = phone.pull()
    desk.decide(manager, went, "accepted")
    put_back(app, copy)
    start_again(app)
    assert phone.pull(page["cursor"])["resync_required"] == "cursor_ahead"


def test_what_did_not_commit_is_left_out_by_whoever_writes_next(
    app: Flask, company: Company
) -> None:
    copy = copy_of(app, "before.sqlite")
    company.user(username="nobody")
    put_back(app, copy)
    user = company.user(username="somebody")
    put_back(app, copy)
    start_again(app)
    names = company.store.scalars(select(User.username)).all()
    assert names == ["somebody"]
    assert company.store.get(User, user) is not None


def test_a_store_older_than_its_journal_writes_nothing_before_it_took_it_in(
    app: Flask, company: Company
) -> None:
    copy = copy_of(app, "before.sqlite")
    company.user()
    company.user()
    put_back(app, copy)
    with pytest.raises(JournalFault, match="older than its journal"):
        company.user()
    start_again(app)
    company.user()
    assert company.store.scalar(select(func.count()).select_from(User)) == 3


def test_a_torn_last_line_counts_as_not_there(app: Flask, company: Company) -> None:
    company.user()
    whole = journal_of(app).read_bytes()
    with journal_of(app).open("ab") as file:
        file.write(b"0" * 64 + b' {"prev":' + b"9" * 5000)
    start_again(app)
    company.user()
    assert journal_of(app).read_bytes().startswith(whole)
    assert len(lines_of(app)) == len(whole.splitlines()) + 1


def test_the_journal_of_another_store_is_refused(app: Flask, company: Company) -> None:
    strange = Line(prev="0" * 64, at="2026-03-02T01:30:00.000Z", store="e-00000000")
    journal_of(app).write_bytes(strange.write())
    with pytest.raises(JournalFault, match="another store"):
        start_again(app)
    with pytest.raises(JournalFault, match="another store"):
        company.user()


def test_a_damaged_journal_is_not_taken_for_a_whole_one(app: Flask, company: Company) -> None:
    copy = copy_of(app, "before.sqlite")
    for _ in range(3):
        company.user()
    lines = journal_of(app).read_bytes().splitlines(keepends=True)
    lines[-2] = lines[-2].replace(b"rep", b"RAP", 1)
    journal_of(app).write_bytes(b"".join(lines))
    put_back(app, copy)
    with pytest.raises(JournalFault, match="damaged"):
        start_again(app)


def test_a_store_whose_journal_was_taken_away_goes_on_with_a_new_one(
    app: Flask, company: Company
) -> None:
    company.user()
    journal_of(app).unlink()
    start_again(app)
    company.user()
    assert [len(line.changes) > 0 for line in lines_of(app)] == [False, True]


def test_every_table_of_people_has_its_triggers_after_a_start(app: Flask, company: Company) -> None:
    company.store.execute(text("DROP TRIGGER journal_device_update"))
    company.store.rollback()
    count = text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
    start_again(app)
    assert company.store.scalar(count) == 31
