"""Uploads against a real server process: cut lines, silence, and SIGKILL."""

import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from server.media.receiving import WRITE_BYTES
from server.settings import Settings
from tests.lines import all_has_come, begin, declare, field_of, head, open_patch, patch, stored
from tests.live import LiveServer, live_server
from tests.pictures import draw
from tests.until import LIMIT_SECONDS, until
from tests.uploads import (
    BODY,
    TUS,
)

CONTENT = draw(2400, 1800, format="PNG") + bytes(2_500_000)
CUT_AT = 2 * WRITE_BYTES + 40_000
"""The server writes once before it has read so much."""
KILLED_WHEN_FLUSHING = "tests.integration.killed_when_flushing"


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    with live_server(settings) as running:
        yield running


def offset_reaches(server: LiveServer, path: str, least: int) -> int:
    """The offset once it is at least ``least``, read where it is kept.

    Asking the server would take the lease over from the request that is still being read.
    """
    until(lambda: stored(server, path) >= least, say=lambda: f"the offset stayed below {least}")
    return stored(server, path)


def part_reaches(server: LiveServer, path: str, least: int) -> None:
    """Returns once the server has written so many bytes, whether they count already or not."""
    part = Path(server.environment["FIELDSTAMP_DATA"], "uploads", f"{path.rsplit('/', 1)[1]}.part")
    until(
        lambda: part.exists() and part.stat().st_size >= least,
        say=lambda: "the server writes nothing",
    )


@contextmanager
def dripping(line: socket.socket, *, at: int) -> Iterator[None]:
    """Sends a little at a time meanwhile."""
    over = threading.Event()

    def drip() -> None:
        for place in range(at, len(CONTENT), 1000):
            if over.wait(0.05):
                return
            line.sendall(CONTENT[place : place + 1000])

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("ending", ["FIN", "RST"])
def test_m1_bad_input_14_a_line_that_is_cut_keeps_what_came(
    server: LiveServer, ending: str
) -> None:
    photo = declare(server, CONTENT)
    path = begin(server, photo, len(CONTENT))
    line = open_patch(server, path, CONTENT[:CUT_AT], announced=len(CONTENT))
    if ending == "RST":
        part_reaches(server, path, WRITE_BYTES)  # a reset throws away what is not read yet
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()
    offset = offset_reaches(server, path, WRITE_BYTES if ending == "RST" else CUT_AT)
    assert offset <= CUT_AT
    assert patch(server, path, offset, CONTENT[offset:]).headers["Upload-State"] == "verified"


def test_m1_a_device_that_changes_the_network_goes_on_behind_all_that_came(
    server: LiveServer,
) -> None:
    path = begin(server, declare(server, CONTENT), len(CONTENT))
    with open_patch(server, path, CONTENT[:CUT_AT], announced=len(CONTENT)) as left_behind:
        part_reaches(server, path, WRITE_BYTES)
        all_has_come(left_behind)
        assert int(head(server, path).headers["Upload-Offset"]) == CUT_AT
        assert left_behind.recv(100).startswith(b"HTTP/1.1 409")
    assert patch(server, path, CUT_AT, CONTENT[CUT_AT:]).headers["Upload-State"] == "verified"


def test_m1_a_killed_server_forgets_no_byte_it_acknowledged(server: LiveServer) -> None:
    photo = declare(server, CONTENT)
    path = begin(server, photo, len(CONTENT))
    assert patch(server, path, 0, CONTENT[:1_500_000]).status_code == 204
    line = open_patch(server, path, b"", announced=len(CONTENT))
    server.kill()
    line.close()
    server.start()
    server.wait_until_it_answers()
    offset = int(head(server, path).headers["Upload-Offset"])
    assert offset == 1_500_000
    assert patch(server, path, offset, CONTENT[offset:]).headers["Upload-State"] == "verified"
    assert field_of(server, photo, "state") == "verified"


def test_m1_a_kill_between_the_data_and_its_offset_costs_only_the_unsaid_bytes(
    server: LiveServer,
) -> None:
    photo = declare(server, CONTENT)
    path = begin(server, photo, len(CONTENT))
    patch(server, path, 0, CONTENT[:100_000])
    command = [sys.executable, "-m", KILLED_WHEN_FLUSHING, path.rsplit("/", 1)[1]]
    done = subprocess.run(
        [*command, server.device.user], env=server.environment, check=False, timeout=LIMIT_SECONDS
    )
    assert done.returncode == -signal.SIGKILL
    assert head(server, path).headers["Upload-Offset"] == "100000"
    rest = patch(server, path, 100_000, CONTENT[100_000:])
    assert rest.headers["Upload-State"] == "verified"


def refusal_comes(server: LiveServer, path: str) -> None:
    """Sends byte after byte until there is no slot for the next one."""
    for offset in range(1000):
        try:
            answer = patch(server, path, offset, CONTENT[offset : offset + 1])
        except requests.ConnectionError:
            return  # the read side was shut before the answer could be read
        if answer.status_code == 503:
            return
    raise AssertionError("nothing was refused")


def test_a_body_of_unknown_length_is_taken_to_its_proper_end(server: LiveServer) -> None:
    path = begin(server, declare(server, CONTENT), len(CONTENT))
    headers = {**server.device.headers, **TUS, **BODY, "Upload-Offset": "0"}
    chunks = (CONTENT[at : at + 50_000] for at in range(0, len(CONTENT), 50_000))
    answer = requests.patch(server.url + path, data=chunks, headers=headers, timeout=LIMIT_SECONDS)
    assert (answer.status_code, answer.headers["Upload-State"]) == (204, "verified")


def test_m1_a_chunked_body_that_breaks_off_is_not_success(server: LiveServer) -> None:
    path = begin(server, declare(server, CONTENT), len(CONTENT))
    line = open_patch(server, path, b"2710\r\n" + CONTENT[:9000])
    line.shutdown(socket.SHUT_WR)
    assert line.recv(100).startswith(b"HTTP/1.1 503")
    line.close()
    offset = int(head(server, path).headers["Upload-Offset"])
    assert offset <= 9000
    assert patch(server, path, offset, CONTENT[offset:]).headers["Upload-State"] == "verified"


def test_bad_input_14_a_silent_client_holds_its_slot_for_a_limited_time(settings: Settings) -> None:
    few = {
        "FIELDSTAMP_SILENCE_SECONDS": "5",
        "FIELDSTAMP_UPLOAD_SLOTS": "1",
    }
    with live_server(settings, **few) as server:
        photo = declare(server, CONTENT)
        path, other = begin(server, photo, len(CONTENT)), begin(server, photo, len(CONTENT))
        with open_patch(server, path, CONTENT[:50_000], announced=len(CONTENT)) as silent:
            with dripping(silent, at=50_000):
                until(lambda: stored(server, path) > 0)  # it has its slot by then
                refusal_comes(server, other)
                assert requests.get(f"{server.url}/healthz", timeout=LIMIT_SECONDS).ok
            assert silent.recv(100).startswith(b"HTTP/1.1 503")
        assert int(head(server, path).headers["Upload-Offset"]) >= 50_000
        offset = int(head(server, other).headers["Upload-Offset"])
        whole = patch(server, other, offset, CONTENT[offset:])
        assert whole.headers["Upload-State"] == "verified"


def test_a_worker_process_looks_into_what_was_uploaded(server: LiveServer) -> None:
    photo = declare(server, draw())
    path = begin(server, photo, len(draw()))
    assert patch(server, path, 0, draw()).headers["Upload-State"] == "verified"
    server.start("work")
    assert until(lambda: field_of(server, photo, "content")) == "readable"
