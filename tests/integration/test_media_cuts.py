"""Uploads to a running server that are cut anywhere, sent twice, killed, or smuggled."""

import random
import resource
import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests

from server.settings import Settings
from tests.lines import begin, declare, head, open_patch, patch
from tests.live import LiveServer, live_server
from tests.until import LIMIT_SECONDS
from tests.uploads import BODY, TUS, sha256_of

SMALL = bytes(range(256)) + b"end"
PIECE = 100_000
LARGE = random.Random(3).randbytes(3_000_000)
ROOM = 10_000_000
"""More than the files of the store itself take."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[LiveServer]:
    """One server of two processes for all of them."""
    store = shutil.copy(sqlite_template, tmp_path_factory.mktemp("store"))
    data = tmp_path_factory.mktemp("data")
    settings = Settings(data=data, database=f"sqlite:///{store}", access_minutes=600)
    with live_server(settings, FIELDSTAMP_SILENCE_SECONDS="2", FIELDSTAMP_WORKERS="2") as running:
        yield running


def original(server: LiveServer, photo: str) -> bytes:
    """The bytes as the server hands them out."""
    url = f"{server.url}/v1/media/{photo}/original"
    return requests.get(url, headers=server.device.headers, timeout=LIMIT_SECONDS).content


def answer_to(line: socket.socket) -> str:
    """All that comes back."""
    answer = b""
    while piece := line.recv(65536):
        answer += piece
    return answer.decode()


def test_m1_a_cut_at_every_byte_keeps_exactly_what_came(server: LiveServer) -> None:
    photo = declare(server, SMALL)
    for place in range(len(SMALL)):
        path = begin(server, photo, len(SMALL))
        with open_patch(server, path, SMALL[:place], announced=len(SMALL)) as line:
            line.shutdown(socket.SHUT_WR)
            answer = answer_to(line)
        assert answer.startswith("HTTP/1.1 503"), place
        assert f"Upload-Offset: {place}\r\n" in answer
        rest = patch(server, path, place, SMALL[place:])
        assert rest.headers["Upload-State"] == "verified", place
    assert original(server, photo) == SMALL


def at_once(calls: Iterable[Callable[[], object]]) -> list[threading.Thread]:
    """A running thread for each of ``calls``."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def test_m1_of_many_patches_at_once_through_two_processes_one_counts(server: LiveServer) -> None:
    photo = declare(server, LARGE)
    told: list[int] = []

    def send(path: str) -> None:
        try:
            told.append(patch(server, path, 0, LARGE).status_code)
        except requests.ConnectionError:  # refused while it was still sending
            told.append(0)

    for _ in range(4):
        path = begin(server, photo, len(LARGE))
        for thread in at_once([partial(send, path)] * 8):
            thread.join()
        offset = int(head(server, path).headers["Upload-Offset"])
        if offset < len(LARGE):
            patch(server, path, offset, LARGE[offset:])
        assert head(server, path).headers["Upload-State"] == "verified"
    assert set(told) <= {0, 204, 409, 413, 503}
    assert original(server, photo) == LARGE


class Sending(threading.Thread):
    """One upload in small pieces, until it is whole or the server dies."""

    def __init__(self, server: LiveServer, path: str) -> None:
        super().__init__()
        self.server, self.path = server, path
        self.offset = 0
        """The last one that the server acknowledged."""
        self.is_under_way = threading.Event()

    def run(self) -> None:
        """Sends."""
        with suppress(requests.ConnectionError):
            while self.offset < len(LARGE):
                piece = LARGE[self.offset : self.offset + PIECE]
                answer = patch(self.server, self.path, self.offset, piece)
                self.offset = int(answer.headers["Upload-Offset"])
                self.is_under_way.set()


def test_m1_a_server_killed_under_many_uploads_forgets_nothing_it_acknowledged(
    server: LiveServer,
) -> None:
    photo = declare(server, LARGE)
    sending = [Sending(server, begin(server, photo, len(LARGE))) for _ in range(8)]
    for one in sending:
        one.start()
    assert all(one.is_under_way.wait(LIMIT_SECONDS) for one in sending)
    server.kill()
    for one in sending:
        one.join()
    server.start()
    server.wait_until_it_answers()
    for one in sending:
        offset = int(head(server, one.path).headers["Upload-Offset"])
        assert one.offset <= offset <= one.offset + PIECE
        if offset < len(LARGE):
            assert patch(server, one.path, offset, LARGE[offset:]).status_code == 204
        assert head(server, one.path).headers["Upload-State"] == "verified"


def test_m1_files_that_may_not_grow_are_a_full_disk_and_records_go_on(server: LiveServer) -> None:
    content = LARGE * 4
    photo = declare(server, content)
    paths = [begin(server, photo, len(content)) for _ in range(3)]
    assert {patch(server, path, 0, LARGE).status_code for path in paths} == {204}
    limit(server, ROOM)
    offsets: dict[str, int] = {}
    rest = content[len(LARGE) :]

    def fill(path: str) -> None:
        full = patch(server, path, len(LARGE), rest)
        assert (full.status_code, full.json()["code"]) == (507, "disk_full")
        assert int(full.headers["Retry-After"]) > 0
        offsets[path] = int(head(server, path).headers["Upload-Offset"])

    sending = at_once(partial(fill, path) for path in paths)
    declare(server, SMALL)
    for thread in sending:
        thread.join()
    assert sorted(offsets) == sorted(paths)
    assert all(len(LARGE) <= offset <= ROOM for offset in offsets.values())
    limit(server, resource.RLIM_INFINITY)
    for path, offset in offsets.items():
        done = patch(server, path, offset, content[offset:])
        assert done.headers["Upload-State"] == "verified"
    assert sha256_of(original(server, photo)) == sha256_of(content)


def limit(server: LiveServer, most: int) -> None:
    """No file of the server's processes grows beyond ``most`` bytes from now on."""
    [main] = server.processes
    for process in (main.pid, *(one.pid for one in psutil.Process(main.pid).children())):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


SMUGGLED = {
    "length and chunks": ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "two lengths": ("Content-Length: 5\r\nContent-Length: 6\r\n", b"xxxxxx"),
    "a length below nothing": ("Content-Length: -5\r\n", b"xxxxx"),
    "a length in words": ("Content-Length: five\r\n", b"xxxxx"),
    "chunks of no size": ("Transfer-Encoding: chunked\r\n", b"zz\r\nxxxxx\r\n0\r\n\r\n"),
    "chunks below nothing": ("Transfer-Encoding: chunked\r\n", b"-5\r\nxxxxx\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("sort", SMUGGLED)
def test_attack_17_a_body_of_doubtful_length_counts_nothing(server: LiveServer, sort: str) -> None:
    path = begin(server, declare(server, SMALL), len(SMALL))
    framing, body = SMUGGLED[sort]
    said = {"Host": "localhost", **server.device.headers, **TUS, **BODY, "Upload-Offset": "0"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_SECONDS) as line:
        line.sendall(f"PATCH {path} HTTP/1.1\r\n{lines}{framing}\r\n".encode() + body)
        line.shutdown(socket.SHUT_WR)
        answer = answer_to(line)
    assert answer == "" or answer.split()[1] in {"400", "501", "503"}, answer
    assert answer.count("HTTP/1.1") <= 1
    assert head(server, path).headers["Upload-Offset"] == "0"
    assert patch(server, path, 0, SMALL).headers["Upload-State"] == "verified"


def test_attack_18_one_byte_a_second_ends_as_silence_does(server: LiveServer) -> None:
    path = begin(server, declare(server, LARGE), len(LARGE))
    with open_patch(server, path, LARGE[:10_000], announced=len(LARGE)) as line:
        line.settimeout(0.5)
        answer, sent = b"", 10_000
        while not answer and sent < 10_100:
            try:
                answer = line.recv(100)
            except TimeoutError:
                line.sendall(LARGE[sent : sent + 1])
                sent += 1
    assert answer.startswith(b"HTTP/1.1 503")
    assert 10_000 <= int(head(server, path).headers["Upload-Offset"]) <= sent


def test_attack_18_a_request_for_json_that_stalls_ends_too_and_may_come_again(
    server: LiveServer,
) -> None:
    said = {**server.device.headers, "Content-Type": "application/json", "Content-Length": "500"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_SECONDS) as line:
        line.sendall(f"POST /v1/sync/push HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{{".encode())
        answer = answer_to(line)
    assert answer.startswith("HTTP/1.1 503")
    assert '"retryable":true' in answer
