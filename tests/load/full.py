"""A disk that fills under uploads: ``python -m tests.load.full``.

Eight photos at once on a disk that holds two of them, store and all, beside pulls and pushes; then
there is room. The disk is one in memory that only this program sees, so Linux is needed.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from bench.stores import postgresql
from server.clock import SystemClock
from server.db import database_url
from server.ids import IdMaker
from server.settings import Settings
from tests.lines import begin, declare, head, patch, stored
from tests.live import LiveServer, live_server
from tests.until import LIMIT_SECONDS, until
from tests.uploads import created, receipt_values, sha256_of

COUNT, SIZE = 8, 12_000_000
SMALL_MB, LARGE_MB = 30, 400
INSIDE = "--inside"
PAUSE_SECONDS = 0.1
PULLS = 50
"""So many while the disk is full."""


SERVED = ("200", "204")
FULL = ("507 disk_full", "503 unavailable", "503 to HEAD")
"""What may be answered while nothing can be written, beside what is served."""


@dataclass
class Told:
    """What requests were answered, counted by status and code."""

    uploads: Counter[str] = field(default_factory=Counter)
    pulls: Counter[str] = field(default_factory=Counter)
    pushes: Counter[str] = field(default_factory=Counter)


def note(counter: Counter[str], answer: requests.Response) -> None:
    """Counts an answer."""
    code = answer.json().get("code", "") if answer.status_code >= 400 and answer.content else ""
    counter[f"{answer.status_code} {code}".strip()] += 1


@dataclass
class Sending(threading.Thread):
    """One photo, sent again from where it stands until it is whole."""

    server: LiveServer
    number: int
    told: Told
    was_refused: threading.Event = field(default_factory=threading.Event)
    state: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.content = random.Random(self.number).randbytes(SIZE)
        self.photo = declare(self.server, self.content)
        self.path = begin(self.server, self.photo, SIZE)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Sends."""
        pause = threading.Event()
        while not self.state:
            with contextlib.suppress(requests.ConnectionError):
                self._try()
            pause.wait(PAUSE_SECONDS)

    def _try(self) -> None:
        seen = head(self.server, self.path)
        if seen.status_code != 200:
            self.told.uploads[f"{seen.status_code} to HEAD"] += 1
            return
        if seen.headers["Upload-State"] == "verified":
            self.state = "verified"
            return
        offset = int(seen.headers["Upload-Offset"])
        answer = patch(self.server, self.path, offset, self.content[offset:])
        note(self.told.uploads, answer)
        if answer.status_code == 204:
            self.state = answer.headers["Upload-State"]
        else:
            self.was_refused.set()

    def wrong_offset(self, folder: Path) -> bool:
        """Whether the offset counts bytes that are not there, or are others."""
        counted = stored(self.server, self.path)
        part = folder / "uploads" / f"{self.path.rsplit('/', 1)[1]}.part"
        there = part.read_bytes()[:counted] if part.exists() else b""
        return self.state == "" and there != self.content[:counted]

    def is_whole(self) -> bool:
        """Whether the server gives back every byte."""
        url = f"{self.server.url}/v1/media/{self.photo}/original"
        answer = requests.get(url, headers=self.server.device.headers, timeout=LIMIT_SECONDS)
        return sha256_of(answer.content) == sha256_of(self.content)


def keep_on(server: LiveServer, told: Told, over: threading.Event) -> None:
    """Pulls of what is new and pushes of a record, one after the other."""
    new_id, cursor = IdMaker(SystemClock()).new, None
    while not over.wait(PAUSE_SECONDS):
        pull = {"protocol": 1, "schema": 1, "cursor": cursor, "limit": 50}
        answer = ask(server, "pull", pull)
        note(told.pulls, answer)
        cursor = answer.json().get("cursor", cursor)
        made = created(new_id, "receipt", new_id(), receipt_values())
        push = {"protocol": 1, "acked_through": 0, "mutations": [made]}
        note(told.pushes, ask(server, "push", {**push, "sent_at": "2026-03-02T09:30:00+08:00"}))


def ask(server: LiveServer, name: str, body: dict[str, Any]) -> requests.Response:
    """The answer to a pull or a push."""
    url, headers = f"{server.url}/v1/sync/{name}", server.device.headers
    return requests.post(url, json=body, headers=headers, timeout=LIMIT_SECONDS)


@contextlib.contextmanager
def beside(server: LiveServer) -> Iterator[Told]:
    """What was answered meanwhile."""
    told, over = Told(), threading.Event()
    thread = threading.Thread(target=keep_on, args=(server, told, over))
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join()


def play(server: LiveServer, folder: Path) -> bool:
    """Prints what was answered while the disk was full and afterwards; whether all of it holds."""
    with beside(server) as full:
        sending = [Sending(server, number, full) for number in range(COUNT)]
        for one in sending:
            one.start()
        until(lambda: all(one.was_refused.is_set() or one.state for one in sending))
        asked = full.pulls.total()
        until(lambda: full.pulls.total() >= asked + PULLS)
        wrong = sum(one.wrong_offset(folder) for one in sending)
    say("while it is full", full, f"{wrong} wrong offsets")
    with beside(server) as later:
        mount(folder, f"remount,size={LARGE_MB}m")
        for one in sending:
            one.told = later
        for one in sending:
            one.join()
    whole = sum(one.is_whole() for one in sending)
    say("with room again", later, f"{whole} of {COUNT} whole")
    served = set(full.pulls + later.pulls) == {"200"}
    told = set(full.uploads + full.pushes) <= {*SERVED, *FULL} and set(later.pushes) <= {"200"}
    return wrong == 0 and whole == COUNT and served and told


def say(phase: str, told: Told, found: str) -> None:
    """One row."""
    cells = [
        ", ".join(f"{n} x {word}" for word, n in sorted(one.items()))
        for one in (told.uploads, told.pulls, told.pushes)
    ]
    sys.stdout.write(f"| {phase} | {' | '.join(cells)} | {found} |\n")
    sys.stdout.flush()


def mount(folder: Path, options: str) -> None:
    """A disk in memory at ``folder``, or another size of it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk at ``folder`` meanwhile."""
    folder.mkdir()
    mount(folder, f"size={SMALL_MB}m")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def step_inside() -> int:
    """Runs the same in a world of mounts of its own, which ends with it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        sys.stdout.write("not measured: there is no unshare here\n")
        return 2
    own = "-m" if os.geteuid() == 0 else "-Urm"
    command = [unshare, own, sys.executable, "-m", "tests.load.full", INSIDE, *sys.argv[1:]]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Status 1 where an offset was wrong, a photo not whole, or a pull failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.full", description=__doc__)
    parser.add_argument(
        "--postgresql", action="store_true", help="the store is there, on a disk of its own"
    )
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not asked.inside:
        return step_inside()
    with contextlib.ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="fieldstamp-load-")))
        data = open_.enter_context(small_disk(folder / "data"))
        url = f"sqlite:///{data}/store.sqlite"
        if asked.postgresql:
            url = database_url(open_.enter_context(postgresql(folder)).create_database())
        settings = Settings(data=data, database=url, access_minutes=600)
        server = open_.enter_context(live_server(settings, FIELDSTAMP_WORKERS="2"))
        return int(not play(server, data))


if __name__ == "__main__":
    raise SystemExit(main())
