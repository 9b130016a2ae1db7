"""Versions of the policy: which one a store begins with, and what another one changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from server.app import create_app, open_store
from server.casework.queries import open_work
from server.cli import cli, main
from server.db import transaction
from server.errors import Problem
from server.extensions import db
from server.people.tables import AuditEntry
from server.policies import versions
from server.policies.reading import PolicyFault, read_file
from server.policies.tables import PolicyVersion
from server.services import follow_policy, keep_following
from server.settings import Settings
from server.values import replace
from server.work.rounds import run_round
from tests.company import Company, FixedClock
from tests.domain.desk import Desk
from tests.domain.records import SHANGHAI_TOWER, case, signature, visit
from tests.live import live_server
from tests.stores import copy_of, put_back, start_again
from tests.until import LIMIT_SECONDS, until

DEFAULT = read_file()
NARROW = DEFAULT.replace("radius_m = 500", "radius_m = 300")
HASTY = NARROW.replace("x4_intake = { hours = 24", "x4_intake = { hours = 6")
UNREADABLE = DEFAULT.replace("radius_m = 500", "radius_mm = 500")
AT_ONCE = 4


@pytest.fixture
def desk(company: Company) -> Desk:
    """Devices and reviewers of the company."""
    return Desk(company)


def put_in_force(app: Flask, company: Company, content: str) -> None:
    """Applies ``content`` and lets this process follow."""
    based_on = versions.newest_number(company.store)
    now = company.services.clock.now()
    with transaction(company.store):
        versions.add(company.store, content, based_on=based_on, by=None, now=now)
    assert follow_policy(app, company.store)


def submitted(desk: Desk) -> str:
    """A case that waits for its intake."""
    rep = desk.rep()
    found = desk.create(rep, "cross_region_case", **case(affected_market=rep.home_region))
    for part in ("affected_dealer", "sales_manager"):
        desk.create(rep, "signature", **{**signature(part), "parent": found})
    return found


def due(company: Company, record: str) -> datetime:
    """When what waits about ``record`` is due."""
    company.store.rollback()
    [work] = open_work(company.store, [record])[record]
    return work.due_at


def test_a_store_begins_with_the_file_of_the_setting_and_keeps_to_it(
    settings: Settings, clock: FixedClock, tmp_path: Path
) -> None:
    written = tmp_path / "policy.toml"
    written.write_text(NARROW, "utf-8")
    for _start in range(2):
        app = create_app(replace(settings, policy=written), clock=clock)
        open_store(app)
        shared = app.extensions["fieldstamp"]
        assert (shared.policy.version, shared.policy.visits.radius_m) == (1, 300)
        with app.app_context():
            kept = versions.list_versions(db.session())
            assert [(one.number, one.content) for one in kept] == [(1, NARROW)]
            db.session.remove()
            db.engine.dispose()
        written.write_text(DEFAULT, "utf-8")


def test_a_process_that_runs_works_by_the_newest_version(
    app: Flask, client: FlaskClient, company: Company, desk: Desk
) -> None:
    rep = company.rep()
    assert not follow_policy(app, company.store)
    before = client.get("/v1/sync/kinds", headers=rep.headers)
    put_in_force(app, company, NARROW)
    after = client.get("/v1/sync/kinds", headers=rep.headers)
    assert before.headers["ETag"] != after.headers["ETag"]
    told = [answer.get_json()["policy"] for answer in (before, after)]
    assert [(one["version"], one["checkin_radius_m"]) for one in told] == [(1, 500), (2, 300)]
    sender = desk.rep()
    shop = desk.create(sender, "customer", name="a", customer_type="store", position=SHANGHAI_TOWER)
    here = {**SHANGHAI_TOWER, "lat": "31.2371"}
    came = visit(customer=shop, check_in={"at": "2026-03-02T10:00:00+08:00", "position": here})
    assert desk.data(desk.create(sender, "visit", **came))["flags"] == ["far"]


def test_the_worker_works_by_the_newest_version_from_its_next_round_on(
    app: Flask, company: Company
) -> None:
    with transaction(company.store):
        versions.add(company.store, NARROW, based_on=1, by=None, now=company.services.clock.now())
    run_round(app)
    assert company.services.policy.visits.radius_m == 300


def test_x8_a_clock_that_runs_keeps_the_due_time_of_the_policy_that_it_began_under(
    app: Flask, company: Company, desk: Desk
) -> None:
    now = company.services.clock.now()
    old = submitted(desk)
    put_in_force(app, company, HASTY)
    assert due(company, old) == now + timedelta(hours=24)
    assert due(company, submitted(desk)) == now + timedelta(hours=6)


@pytest.mark.parametrize("wall", ["1970-01-01T00:00:07+08:00", "2049-12-31T23:59:59+08:00"])
def test_x8_a_device_clock_that_is_wrong_by_years_moves_no_office_clock(
    company: Company, desk: Desk, wall: str
) -> None:
    rep = desk.rep()
    captured = {"wall": wall, "monotonic_ms": 5, "boot": "b", "offset_ms": 0}
    set_back = case(affected_market=rep.home_region, found_at=wall)
    record = company.services.ids.new()
    made = {"action": "create", "kind": "cross_region_case", "record": record, "set": set_back}
    desk.push(rep, {**made, "captured": captured})
    assert due(company, record) == company.services.clock.now() + timedelta(hours=72)


def test_of_several_who_apply_at_the_same_moment_one_is_first_and_the_others_are_told(
    app: Flask, company: Company
) -> None:
    gate, now = Barrier(AT_ONCE), company.services.clock.now()

    def apply(_number: int) -> str:
        with app.app_context():
            store = db.session()
            gate.wait()
            try:
                with transaction(store):
                    versions.add(store, NARROW, based_on=1, by=None, now=now)
            except Problem as problem:
                return problem.code
            return "applied"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = sorted(pool.map(apply, range(AT_ONCE)))
    assert said == ["applied", *["wrong_state"] * (AT_ONCE - 1)]
    company.store.rollback()
    assert versions.newest_number(company.store) == 2


def test_a_version_that_this_program_cannot_read_changes_nothing_in_a_running_process(
    app: Flask, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    with transaction(company.store):
        now = company.services.clock.now()
        versions.add(company.store, UNREADABLE, based_on=1, by=None, now=now)
    with pytest.raises(PolicyFault, match=r"visits.radius_mm: there is no such key"):
        follow_policy(app, company.store)
    keep_following(app, company.store)
    assert "policy_not_followed" in capsys.readouterr().err
    assert company.services.policy.version == 1


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p6_a_store_put_back_takes_the_policy_in_that_was_applied_since(
    app: Flask, company: Company
) -> None:
    copy = copy_of(app, "before.sqlite")
    put_in_force(app, company, NARROW)
    put_in_force(app, company, HASTY)
    put_back(app, copy)
    start_again(app)
    kept = versions.list_versions(company.store)
    assert [one.content for one in kept] == [DEFAULT, NARROW, HASTY]
    assert company.services.policy.version == 3


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a fresh installation."""
    monkeypatch.setenv("FIELDSTAMP_DATA", str(tmp_path / "installation"))
    monkeypatch.delenv("FIELDSTAMP_DATABASE", raising=False)
    assert _run("db", "upgrade").exit_code == 0


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def _say(*words: str) -> str:
    result = _run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_administrator_shows_changes_compares_and_applies_the_policy(
    installation: None, tmp_path: Path
) -> None:
    file = tmp_path / "next.toml"
    shown = _say("policy", "show")
    assert shown == DEFAULT
    file.write_text(shown, "utf-8")
    assert _say("policy", "diff", str(file)) == "Nothing differs.\n"
    assert "Version" not in _say("policy", "apply", str(file))
    file.write_text(HASTY, "utf-8")
    changes = "terms.x4_intake.hours: 24 -> 6\nvisits.radius_m: 500 -> 300\n"
    assert _say("policy", "check", str(file)) == "It can be applied.\n"
    assert _say("policy", "diff", str(file)) == changes
    _say("user", "add", "wang")
    applied = _say("policy", "apply", str(file), "--by", "wang")
    assert applied.startswith(f"{changes}Version 2 is in force.")
    assert (_say("policy", "show"), _say("policy", "show", "1")) == (HASTY, DEFAULT)
    numbers = [line.split()[0] for line in _say("policy", "list").splitlines()]
    assert numbers == ["1", "2"]


def test_who_applied_a_version_is_with_it_and_in_the_audit_log(
    installation: None, tmp_path: Path
) -> None:
    file = tmp_path / "next.toml"
    file.write_text(NARROW, "utf-8")
    wang = _say("user", "add", "wang").strip()
    _say("policy", "apply", str(file), "--by", "wang")
    with create_app().app_context():
        applied = select(AuditEntry.user).where(AuditEntry.what == "policy_applied")
        assert db.session.scalars(applied).all() == [wang]
        assert db.session.get_one(PolicyVersion, 2).applied_by == wang
        db.session.remove()
        db.engine.dispose()


def test_a_policy_that_is_wrong_is_refused_with_each_key_and_nothing_is_applied(
    installation: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "next.toml"
    wrong: dict[str, bytes] = {
        "visits.radius_mm: there is no such key": UNREADABLE.encode(),
        "visits.radius_m: this key is missing": UNREADABLE.encode(),
        "cannot be read": DEFAULT.encode("gb18030"),
    }
    for said, content in wrong.items():
        file.write_bytes(content)
        for word in ("check", "diff", "apply"):
            monkeypatch.setattr("sys.argv", ["fieldstamp-server", "policy", word, str(file)])
            with pytest.raises(SystemExit, match="1"):
                main()
            assert said in capsys.readouterr().err
    assert len(_say("policy", "list").splitlines()) == 1


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_server_that_runs_takes_a_new_version_without_a_restart(settings: Settings) -> None:
    with live_server(settings) as server:
        assert _told(server.url, server.device.headers)["version"] == 1
        with server.app.app_context():
            now = server.app.extensions["fieldstamp"].clock.now()
            with transaction(db.session()):
                versions.add(db.session(), NARROW, based_on=1, by=None, now=now)

        def newer() -> dict[str, Any] | None:
            told = _told(server.url, server.device.headers)
            return None if told["version"] == 1 else told

        told = until(newer, say=lambda: server.log.read_text()[-4000:])
        assert told is not None
        assert (told["version"], told["checkin_radius_m"]) == (2, 300)


def _told(url: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = requests.get(f"{url}/v1/sync/kinds", headers=headers, timeout=LIMIT_SECONDS)
    answer.raise_for_status()
    policy: dict[str, Any] = answer.json()["policy"]
    return policy
