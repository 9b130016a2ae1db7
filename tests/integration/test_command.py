"""``fieldstamp-server``: each command on a store of its own, and the processes that it starts."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import create_engine

from server.cli import cli, main
from server.db import engine_options
from server.errors import Problem
from server.settings import Settings
from tests.live import live_server
from tests.until import LIMIT_SECONDS

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def installation(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a fresh installation."""
    monkeypatch.setenv("FIELDSTAMP_DATA", str(tmp_path / "installation"))
    monkeypatch.delenv("FIELDSTAMP_DATABASE", raising=False)


def _run(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, words, input=typed)


def _say(*words: str, typed: str | None = None) -> str:
    result = _run(*words, typed=typed)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_an_administrator_sets_a_company_up(installation: None) -> None:
    assert _run("db", "check").exit_code == 1
    _say("db", "upgrade")
    _say("db", "check")
    east = _say("region", "add", "华东", "East", "--level", "sales_centre")
    _say("region", "add", "上海", "Shanghai", "--level", "market", "--parent", "华东")
    lines = _say("region", "list").splitlines()
    assert lines[0].startswith(east)
    assert lines[1].endswith("  上海 / Shanghai (market)")
    _say("user", "add", "wang", "--name", "王芳", "--region", "上海", "--role", "rep")
    _say("user", "role", "wang", "region_manager", "--region", "East")
    _say("user", "role", "wang", "rep", "--region", "上海", "--withdraw")
    _say("user", "password", "wang", typed="long enough\nlong enough\n")
    assert "active    wang  王芳" in _say("user", "list")
    code = _say("device", "enrol", "wang")
    assert len(code) == 10
    assert _say("device", "list") == ""
    _say("user", "disable", "wang")
    assert "disabled  wang" in _say("user", "list")


def test_b1_somebody_is_noted_as_away_with_a_deputy_and_as_back(installation: None) -> None:
    _say("db", "upgrade")
    for name in ("li", "wang"):
        _say("user", "add", name)
    days = ("--from", "2026-10-01", "--until", "2026-10-07")
    _say("user", "absent", "li", "--deputy", "wang", *days)
    _say("user", "absent", "li", "--back")
    assert _run("user", "absent", "li", "--deputy", "wang").exit_code == 2
    for deputy, until, field in (("li", "2026-10-07", "deputy"), ("wang", "2026-09-30", "until")):
        given = ("--deputy", deputy, "--from", "2026-10-01", "--until", until)
        refused = _run("user", "absent", "li", *given)
        assert isinstance(refused.exception, Problem)
        assert list(refused.exception.fields) == [field]


def test_a_file_is_brought_and_what_is_wrong_with_one_is_said(
    installation: None, tmp_path: Path
) -> None:
    _say("db", "upgrade")
    _say("user", "add", "wang")
    path = tmp_path / "products.csv"
    bring = ("import", "products", str(path), "--by", "wang")
    path.write_text("code,name_zh\nT-1,茶\n", "utf-8")
    assert _say(*bring, "--dry-run").endswith("nothing was written.")
    assert _say(*bring) == "Read as UTF-8.\n1 rows: 1 new, 0 changed, 0 same."
    path.write_text("code,name_zh\nT-1,=1\n", "utf-8")
    refused = _run(*bring)
    assert refused.exit_code == 1
    assert "line 2: name_zh may not begin like a formula" in refused.output


def test_what_does_not_exist_is_said_in_plain_words(
    installation: None, type_words: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    _say("db", "upgrade")
    _say("user", "add", "wang")
    for words, said in (
        (["device", "enrol", "nobody"], "There is no user nobody."),
        (["user", "add", "wang"], "Some values are wrong. username is in use already"),
        (["device", "revoke", "unknown"], "There is no device unknown."),
        (["region", "add", "东", "E", "--level", "m", "--parent", "W"], "There is no region W."),
        (["user", "role", "wang", "rep", "--withdraw"], "wang does not have this role there."),
        (["policy", "show", "9"], "There is no version 9 of the policy."),
    ):
        type_words(*words)
        assert capsys.readouterr().err.strip() == said


@pytest.fixture
def type_words(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Types a command that fails with status 1."""

    def type_them(*words: str) -> None:
        monkeypatch.setattr("sys.argv", ["fieldstamp-server", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1

    return type_them


def test_a_command_where_no_store_is_makes_none_and_says_where_it_looked(
    installation: None,
    tmp_path: Path,
    type_words: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = str(tmp_path / "new")
    for words in (("user", "list"), ("db", "check"), ("work",), ("backup", "create", new)):
        type_words(*words)
        said = capsys.readouterr().err
        assert str(tmp_path / "installation" / "fieldstamp.sqlite") in said
        assert "db upgrade" in said
    assert not (tmp_path / "installation").exists()


def test_a_store_of_another_version_is_told_from_one_that_fits(
    installation: None,
    tmp_path: Path,
    type_words: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    _say("db", "upgrade")
    url = f"sqlite:///{tmp_path / 'installation' / 'fieldstamp.sqlite'}"
    engine = create_engine(url, **engine_options(url))
    for revision, told in (("0001", "older version"), ("9999", "newer version")):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        type_words("user", "list")
        assert told in capsys.readouterr().err
    engine.dispose()
    type_words("db", "upgrade")
    assert "newer version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DATABASE", "postgresql://127.0.0.1:1/none", "The database cannot be used: "),
        ("DATA", "/dev/null/data", "/dev/null/data: Not a directory"),
        ("BUCKET", "photos", "Install fieldstamp-server[s3]"),
    ],
)
def test_what_the_machine_refuses_is_said_in_a_sentence(
    installation: None,
    monkeypatch: pytest.MonkeyPatch,
    type_words: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    setting: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(f"FIELDSTAMP_{setting}", value)
    monkeypatch.setitem(sys.modules, "boto3", None)
    type_words("db", "upgrade")
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert "Traceback" not in told


def test_no_two_regions_of_one_place_share_a_name(
    installation: None, type_words: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    _say("db", "upgrade")
    country = _say("region", "add", "全国", "Country", "--level", "company")
    for below in (("--parent", country), ()):
        again = ("region", "add", "华东", "East", "--level", "sales_centre", *below)
        _say(*again)
        type_words(*again)
        assert "name_zh is in use already" in capsys.readouterr().err
    type_words("user", "add", "li", "--region", "East")
    assert "Several regions are called East. Use the id of one." in capsys.readouterr().err


def test_a_restore_asks_for_no_work_again_that_its_journal_has_or_never_saw(
    installation: None, tmp_path: Path
) -> None:
    _say("db", "upgrade")
    _say("user", "add", "wang")
    folder = str(tmp_path / "backup")
    _say("backup", "create", folder)
    restored = ("backup", "restore", folder, "--replace")
    assert "The journal has nothing after that." in _say(*restored)
    _say("user", "add", "li")
    assert "taken in from the journal" in _say(*restored)
    assert "li" in _say("user", "list")
    assert "must be done again" in _say(*restored, "--without-journal")


def test_nothing_moves_to_a_bucket_that_is_not_named(installation: None) -> None:
    _say("db", "upgrade")
    refused = _run("media", "move")
    assert refused.exit_code == 2
    assert "`bucket` is empty" in refused.output


def test_a_wrong_setting_is_named(
    installation: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIELDSTAMP_WORKRES", "3")
    monkeypatch.setattr("sys.argv", ["fieldstamp-server", "user", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "workres" in capsys.readouterr().err


def test_serve_answers_with_one_date_and_stops_with_its_worker(settings: Settings) -> None:
    with live_server(settings) as server:
        server.kill()
        serving = server.start("serve")
        server.wait_until_it_answers()
        answer = requests.get(f"{server.url}/readyz", timeout=LIMIT_SECONDS)
        assert answer.status_code == 200
        assert answer.headers["Date"].count("GMT") == 1
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(LIMIT_SECONDS) == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(serving.pid, 0)


def test_attack_6_headers_over_the_limit_are_refused_by_the_server(settings: Settings) -> None:
    with live_server(settings) as server:
        huge = {"Authorization": f"Bearer {'x' * 200_000}"}
        assert requests.get(
            f"{server.url}/v1/auth/me", headers=huge, timeout=LIMIT_SECONDS
        ).status_code in {
            400,
            431,
        }
        assert requests.get(f"{server.url}/healthz", timeout=LIMIT_SECONDS).ok
