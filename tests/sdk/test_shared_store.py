"""One process syncs a store, others read it and save to it: real processes, a real server."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldstamp import Client
from server.settings import Settings
from tests.e2e.people import issue_code
from tests.live import LiveServer, live_server
from tests.sdk.sharing import ROUND
from tests.until import synced_at_last

ROOT = Path(__file__).parents[2]
ROUNDS, REFUSED, MOST_SECONDS = 4, 3, 900
SHOP = {"name": "南京路烟酒店", "customer_type": "store"}


class Companion:
    """Another process on the same store. One that hangs is killed, and is then heard as ended."""

    def __init__(self, part: str, store: Path) -> None:
        command = [sys.executable, "-m", "tests.sdk.sharing", part, str(store)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.killer = threading.Timer(MOST_SECONDS, self.process.kill)
        self.killer.start()

    def tell(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process ended before its time"
        told: dict[str, Any] = json.loads(line)
        return told

    def ask(self, line: str) -> dict[str, Any]:
        self.tell(line)
        return self.hear()

    def hear_until(self, name: str, number: int) -> None:
        while self.hear()[name] < number:
            pass

    def end(self) -> int:
        """Its exit code, after its input was closed."""
        self.process.communicate()
        return self.process.returncode

    def kill(self) -> None:
        self.killer.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start() -> Iterator[Callable[[str, Path], Companion]]:
    started: list[Companion] = []

    def start_one(part: str, store: Path) -> Companion:
        started.append(Companion(part, store))
        return started[-1]

    yield start_one
    for companion in started:
        companion.kill()


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    with live_server(settings) as running:
        yield running


def enrol(server: LiveServer, store: Path) -> None:
    with Client(store, server=server.url) as client:
        client.enrol(issue_code(server), name="phone")


def send_round(client: Client, number: int) -> None:
    """A customer and its visits; the customer changes last and must still be pulled first."""
    customer = client.create("customer", SHOP)
    with client.group() as group:
        for _ in range(ROUND):
            fields = {"customer": customer, "purpose": "routine", "topics": f"round {number}"}
            group.create("visit", fields)
        group.patch(customer.id, {"name": f"第{number}店"})
    synced_at_last(client)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p4_p6_while_one_process_syncs_others_read_whole_pages_and_nothing_is_lost(
    server: LiveServer, tmp_path: Path, start: Callable[[str, Path], Companion]
) -> None:
    store, elsewhere = tmp_path / "field.db", tmp_path / "elsewhere.db"
    enrol(server, store)
    enrol(server, elsewhere)
    with Client(store) as client:
        shop = client.create("customer", SHOP).id
    syncing = start("sync", store)
    assert syncing.hear() == {"syncing": True}
    readers = [start("read", store) for _ in range(3)]
    saving = start("save", store)

    refused = [saving.ask(shop) for _ in range(REFUSED)]
    assert {(told["reason"], told["synced"]) for told in refused} == {("store_busy", False)}
    assert {told["message"] for told in refused} == {"another process is syncing this store"}
    for reader in readers:
        reader.hear_until("visits", REFUSED)

    syncing.tell()
    tried = []
    with Client(elsewhere) as client:
        for number in range(1, ROUNDS + 1):
            send_round(client, number)
            tried.append(saving.ask(shop))
            for reader in readers:
                reader.hear_until("rounds", number)
    assert {told["reason"] for told in tried} <= {None, "store_busy"}
    assert [companion.end() for companion in (syncing, saving, *readers)] == [0] * 5

    with Client(store) as client:
        synced_at_last(client)
        assert all(mutation.ack for mutation in client.mutations())
    with Client(elsewhere) as client:
        synced_at_last(client)
        arrived = {visit.id for visit in client.records("visit")}
    assert {told["visit"] for told in refused + tried} <= arrived
