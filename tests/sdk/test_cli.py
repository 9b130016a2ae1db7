"""The command against the real server over a real socket."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from flask import Flask

from fieldstamp import Client, cli
from server.db import transaction
from server.people import devices
from server.people.tables import User
from server.settings import Settings
from tests.company import Company
from tests.sdk.test_against_server import jpeg


class Quiet(WSGIRequestHandler):
    """Writes no access log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[WSGIServer]:
    server = make_server("127.0.0.1", 0, lambda _environ, _start: [], handler_class=Quiet)
    yield server
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path, store_url: str, listener: WSGIServer) -> Settings:
    origin = f"http://127.0.0.1:{listener.server_port}"
    return Settings(data=tmp_path / "data", database=store_url, origins=(origin,))


@pytest.fixture
def address(app: Flask, listener: WSGIServer) -> Iterator[str]:
    listener.set_app(app)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    thread.join()


@pytest.fixture
def code(company: Company) -> str:
    with transaction(company.store):
        person = company.store.get_one(User, company.user())
        now = company.services.clock.now()
        return devices.issue_code(company.store, company.services.ids, person, now=now)


LINES = [{"product": "二曲", "batch": "B2411-07", "quantity": 24, "unit": "piece"}]


def new_case(company: Company, *more: str) -> list[str]:
    fields = {
        "affected_market": company.regions["shanghai"],
        "found_at": "2026-03-02T09:00:00+08:00",
        "lines": json.dumps(LINES, ensure_ascii=False),
    }
    given = [word for name, text in fields.items() for word in ("--set", f"{name}={text}")]
    return ["new", "case", *given, *more]


class Shell:
    """Runs commands on one store and reads their answers."""

    def __init__(self, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._common = ["--store", str(store), "--lang", "en"]
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str]:
        code = cli.main([*words, *self._common])
        return code, self._capsys.readouterr().out

    def json(self, *words: str) -> tuple[int, Any]:
        code, text = self.run(*words, "--json")
        return code, json.loads(text)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "cli.db", capsys)


def test_a_day_in_the_field_from_the_command_line(
    shell: Shell, address: str, code: str, company: Company, tmp_path: Path
) -> None:
    assert shell.json("sync") == (5, {**shell.json("sync")[1]})
    code_of_exit, status = shell.json("login", code, "--server", address)
    assert (code_of_exit, status["enrolled"]) == (0, True)
    photo = tmp_path / "shelf.jpg"
    photo.write_bytes(jpeg())
    exit_code, saved = shell.json(*new_case(company, "--photo", f"goods={photo}"))
    assert exit_code == 0, saved
    assert saved["record"]["data"]["lines"] == LINES
    assert saved["photos"][0]["data"]["tag"] == "goods"
    assert [item["state"] for item in shell.json("outbox")[1]] == ["ready", "ready", "held"]
    exit_code, report = shell.json("sync")
    assert (exit_code, report["synced"]) == (0, True), report
    assert shell.run("status") == (0, "to send: 0 changes, 0 files\nsynced\n")
    assert shell.run("outbox") == (0, "nothing to send\n")


def test_without_a_connection_everything_is_kept_and_the_exit_code_says_not_yet(
    shell: Shell, address: str, code: str, company: Company, listener: WSGIServer
) -> None:
    shell.run("login", code, "--server", address)
    listener.shutdown()
    listener.server_close()
    assert shell.run(*new_case(company))[0] == 0
    exit_code, text = shell.run("sync")
    assert exit_code == 3
    assert text.startswith("not synced yet: there is no connection")
    assert shell.run("status")[1].startswith("to send: 1 changes, 0 files\nnot synced")


def test_what_is_wrong_is_said_with_the_field(shell: Shell, address: str, code: str) -> None:
    shell.run("login", code, "--server", address)
    exit_code, told = shell.json("new", "visit", "--purpose", "holiday")
    assert (exit_code, told["error"]) == (1, "validation")
    assert set(told["fields"]) <= {"purpose", "customer"}


def test_chinese_and_english_say_the_same(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Client(str(tmp_path / "x.db")).close()
    assert cli.main(["status", "--store", str(tmp_path / "x.db"), "--lang", "zh-CN"]) == 0
    assert capsys.readouterr().out == "待发送：0 项更改，0 个文件\n未同步\n"
    assert cli.main(["sync", "--store", str(tmp_path / "x.db"), "--lang", "zh-CN"]) == 5
    assert "此设备尚未注册" in capsys.readouterr().out
    assert shell


@pytest.mark.parametrize("word", ["status", "sync", "outbox"])
def test_a_store_that_is_not_there_is_never_said_to_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    store = tmp_path / "mistyped.db"
    assert cli.main([word, "--store", str(store), "--lang", "en"]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert str(store) in said.err
    assert not store.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "--server URL is needed"), (("--server", "127.0.0.1:80"), "begins with https://")],
)
def test_a_login_without_a_usable_address_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    store = tmp_path / "cli.db"
    assert cli.main(["login", "ABC", "--store", str(store), "--lang", "en", *words]) == 2
    assert said in capsys.readouterr().err
    assert not store.exists()


def test_the_server_answers_in_the_language_of_the_command(
    tmp_path: Path,
    address: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    store = str(tmp_path / "cli.db")
    assert cli.main(["login", "ABC", "--store", store, "--server", address]) == 1
    assert "The code is wrong" in capsys.readouterr().err


def test_wrong_usage_is_two() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["dance"])
    assert ended.value.code == 2
