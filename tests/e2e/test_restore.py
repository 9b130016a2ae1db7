"""A server is lost and comes back from a backup: real processes, the client library, a browser."""

import multiprocessing
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fieldstamp import Client
from server.cli import cli
from server.extensions import db
from server.settings import Settings
from tests.e2e.killed_when_restoring import restore
from tests.e2e.people import Browser, add_manager, issue_code
from tests.live import LiveServer, live_server
from tests.pictures import draw
from tests.until import LIMIT_SECONDS, synced_at_last

SHOP = {"name": "南京路烟酒店", "customer_type": "store"}


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    with live_server(settings, FIELDSTAMP_SECURE_COOKIES="false") as running:
        yield running


@pytest.fixture
def device(server: LiveServer, tmp_path: Path) -> Path:
    """The store of an enrolled device."""
    store = tmp_path / "field.db"
    with Client(store, server=server.url) as client:
        client.enrol(issue_code(server), name="phone")
    return store


def command(server: LiveServer, *words: str) -> str:
    """The output of ``fieldstamp-server`` with ``words``, which ends with status 0."""
    ended = subprocess.run(
        [sys.executable, "-m", "server.cli", *words],
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def save_visit(store: Path, shape: int) -> tuple[str, str]:
    """A visit with a photo, saved; the ids of both."""
    with Client(store) as client:
        customer = client.create("customer", SHOP)
        visit = client.create("visit", {"customer": customer, "purpose": "routine"})
        photo = client.attach(visit, draw(shape, 300), tag="display", source="gallery")
        return visit.id, photo.id


def sync(store: Path) -> None:
    """Syncs until all is synced."""
    with Client(store) as client:
        synced_at_last(client)


def lose(server: LiveServer) -> None:
    """The server's processes are gone, and this one has let go of its store."""
    server.kill()
    with server.app.app_context():
        db.engine.dispose()


def restart(server: LiveServer) -> None:
    server.start()
    server.wait_until_it_answers()


def test_p6_a_lost_server_comes_back_with_all_that_backup_and_devices_hold(
    server: LiveServer, device: Path, tmp_path: Path
) -> None:
    first, folder = save_visit(device, 400), str(tmp_path / "backup")
    sync(device)
    command(server, "backup", "create", folder)
    second = save_visit(device, 500)
    sync(device)
    lose(server)
    command(server, "backup", "restore", "--replace", folder)
    assert command(server, "verify", "--photos").strip() == "Everything agrees."
    restart(server)
    sync(device)
    with Client(device) as client:
        for visit, photo in (first, second):
            assert client.get(visit)["state"] == "submitted"
            assert client.get(photo)["state"] == "verified"
        assert client.status().synced
    assert command(server, "verify", "--photos").strip() == "Everything agrees."
    (tmp_path / "again").mkdir()
    report = command(server, "backup", "create", str(tmp_path / "again"))
    assert "2 photos" in report


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p6_a_decision_after_the_backup_comes_back_from_the_journal(
    server: LiveServer, device: Path, tmp_path: Path
) -> None:
    visit, _photo = save_visit(device, 400)
    sync(device)
    command(server, "backup", "create", str(tmp_path / "backup"))
    browser = Browser(server.url)
    browser.login(add_manager(server))
    decision = f"/records/{visit}/decision"
    browser.send(f"/records/{visit}", decision, verdict="returned", note="n", guidance="请补拍")
    lose(server)
    told = command(server, "backup", "restore", "--replace", str(tmp_path / "backup"))
    assert "decisions: 1 applied" in told
    restart(server)
    sync(device)
    with Client(device) as client:
        assert client.get(visit)["guidance"] == "请补拍"
    again = Browser(server.url)
    again.login("manager")
    assert "请补拍" in again.page(f"/records/{visit}")


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_restore_that_is_killed_at_any_step_leaves_no_store_that_lies(
    server: LiveServer, device: Path, tmp_path: Path
) -> None:
    save_visit(device, 400)
    sync(device)
    folder = str(tmp_path / "backup")
    command(server, "backup", "create", folder)
    lose(server)
    processes = multiprocessing.get_context("forkserver")  # which has imported what they need
    processes.set_forkserver_preload(["server.cli"])
    step = 0
    while True:
        step += 1
        restoring = processes.Process(target=restore, args=(step, folder, server.environment))
        restoring.start()
        restoring.join()
        if restoring.exitcode == 0:
            break
        assert restoring.exitcode == -signal.SIGKILL
        state = CliRunner().invoke(cli, ["db", "check"], env=server.environment)
        assert state.exit_code == 0 or "cut short" in str(state.exception), state
    assert step > 5
    assert command(server, "verify", "--photos").strip() == "Everything agrees."
    restart(server)
    sync(device)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_an_old_file_copied_back_by_hand_is_noticed_and_filled_up(
    server: LiveServer, device: Path, settings: Settings, tmp_path: Path
) -> None:
    """Somebody who knows only `cp` stops the server, copies, and starts it again."""
    sync(device)
    command(server, "backup", "create", str(tmp_path / "backup"))
    save_visit(device, 400)
    sync(device)
    add_manager(server)
    lose(server)
    target = Path(settings.database.removeprefix("sqlite:///"))
    for leftover in target.parent.glob(f"{target.name}-*"):
        leftover.unlink()
    shutil.copy(tmp_path / "backup" / "store.sqlite", target)
    server.start("serve")
    server.wait_until_it_answers()
    sync(device)
    assert "manager" in command(server, "user", "list")
    assert command(server, "verify", "--photos").strip() == "Everything agrees."
    with Client(device) as client:
        assert client.status().synced
