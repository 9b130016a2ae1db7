"""Kills a device and its server again and again during one sync, most often inside a request.

``python -m tests.e2e.kills --kills 20`` prints what was found as one JSON object; its status is 0
where every record arrived exactly once, every original is equal and the outbox is empty.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fieldstamp import Client
from server.demo.count import Count, count_lost
from server.demo.folder import Crew, CrewDevice
from server.extensions import db
from server.settings import Settings
from server.sync.queries import find_records, history
from server.sync.tables import Record
from tests.e2e.people import PASSWORD, issue_code, rep_name
from tests.e2e.trap import Blow, Trap, plan_blows
from tests.live import LiveServer, live_server

CUSTOMERS, VISITS, PHOTOS, EDITS = 10, 90, 20, 20
PHOTO_BYTES = 600_000
SPRING_SECONDS, FINISH_SECONDS = 300.0, 900.0


@dataclass
class Findings:
    """What happened, and what stood at the end."""

    kills: Counter[str] = field(default_factory=Counter)
    count: Count = field(default_factory=Count)
    not_once: list[str] = field(default_factory=list)
    strangers: int = 0
    outbox: int = -1
    synced: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lost, doubled or left."""
        arrived = self.count.photos_verified == PHOTOS and not self.count.lost
        left = self.outbox or self.count.waiting or self.strangers
        return arrived and self.synced and not left and not self.not_once


@dataclass
class Ring:
    """A device, its bad link and its server."""

    server: LiveServer
    trap: Trap
    store: Path
    handset: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts whatever does not run."""
        if not self.server.processes:
            self.server.start()
            self.server.wait_until_it_answers()
        if self.handset is None:
            command = [sys.executable, "-m", "tests.e2e.handset", str(self.store)]
            self.handset = subprocess.Popen(command)

    def strike(self, target: str) -> None:
        """SIGKILL, without a word before."""
        if target == "server":
            for process in self.server.processes:
                os.killpg(process.pid, signal.SIGKILL)
        elif self.handset is not None:
            self.handset.kill()

    def bury(self, target: str) -> None:
        """Waits for what was struck."""
        if target == "server":
            self.server.kill()
        elif self.handset is not None:
            self.handset.wait()
            self.handset = None

    def endure(self, blow: Blow) -> bool:
        """One kill during the sync; False where the sync was over before."""
        self.trap.arm(blow, lambda: self.strike(blow.target))
        self.start()
        if not self._comes(self.trap.moving if blow.after is None else self.trap.sprung):
            return False
        if blow.after is None:
            threading.Event().wait(blow.seconds)
            self.strike(blow.target)
        self.bury(blow.target)
        return True

    def _comes(self, awaited: threading.Event) -> bool:
        """Waits for what the trap tells; False where the device ended by itself before."""
        end = time.monotonic() + SPRING_SECONDS
        while not awaited.wait(0.05):
            if self.is_over():
                return awaited.is_set()
            if time.monotonic() > end:
                raise AssertionError("no byte passed for too long")
        return True

    def is_over(self) -> bool:
        """Whether the device has ended by itself, which it does once it is synced."""
        return self.handset is not None and self.handset.poll() is not None

    def finish(self) -> None:
        """Lets the sync come to its end."""
        self.start()
        assert self.handset is not None
        assert self.handset.wait(FINISH_SECONDS) == 0

    def stop(self) -> None:
        """Ends the device's process, wherever it is."""
        if self.handset is not None:
            self.handset.kill()
            self.handset.wait()


def fill(client: Client, seed: int) -> None:
    """100 records with edits, and 20 photos, saved without a network."""
    chance = random.Random(seed)
    customers = [
        client.create("customer", {"name": f"客户 {number}", "customer_type": "store"})
        for number in range(CUSTOMERS)
    ]
    visits = []
    for number in range(VISITS):
        fields = {"customer": customers[number % CUSTOMERS], "purpose": "routine"}
        visits.append(client.create("visit", fields | {"topics": f"topic {number} " * 20}))
    for visit in visits[:EDITS]:
        client.patch(visit.id, {"needs": f"需要 {visit.id}"})
    for visit in visits[-PHOTOS:]:
        content = b"\xff\xd8\xff" + chance.randbytes(PHOTO_BYTES)
        client.attach(visit, content, tag="display", source="app_camera")


@contextmanager
def ring(settings: Settings, seed: int) -> Iterator[Ring]:
    """A device with a day's work saved, before its first sync of it."""
    with Trap() as trap:
        far = f"http://127.0.0.1:{trap.port}"
        with live_server(settings, FIELDSTAMP_ORIGINS=far) as server:
            trap.to_port = server.port
            store = settings.data / "field.db"
            with Client(store, server=far) as client:
                client.enrol(issue_code(server), name="handset")
                fill(client, seed)
            made = Ring(server=server, trap=trap, store=store)
            try:
                yield made
            finally:
                made.stop()


def run(settings: Settings, *, kills: int, seed: int) -> Findings:
    """All the kills, then the end of the sync, then the count."""
    findings = Findings()
    with ring(settings, seed) as made:
        for blow in plan_blows(kills, seed):
            if not made.endure(blow):
                break
            findings.kills["all"] += 1
            findings.kills[blow.target] += 1
            if blow.after is not None:
                findings.kills["inside"] += 1
                findings.kills[blow.request.decode()] += 1
        made.finish()
        look(made, findings)
    return findings


def look(made: Ring, findings: Findings) -> None:
    """Compares the device's store with the server's, over HTTP and row by row."""
    with made.server.app.app_context():
        store = db.session()
        with Client(made.store) as client:
            status = client.status()
            findings.synced, findings.outbox = status.synced, len(client.outbox())
            findings.not_once = list(_not_once(store, client))
            own = {mutation.record for mutation in client.mutations()}
            records = store.scalar(select(func.count()).select_from(Record)) or 0
            findings.strangers = records - len(own)
        db.session.remove()
    username = rep_name(made.server)
    person = {"name": username, "username": username, "password": PASSWORD}
    device = CrewDevice(**person, store=str(made.store))
    url = f"http://127.0.0.1:{made.trap.port}"
    findings.count = count_lost(Crew(server=url, devices=[device]), url)


def _not_once(store: Session, client: Client) -> Iterator[str]:
    """P2: mutations that did not have exactly one effect, in the order in which they were saved."""
    mutations = client.mutations()
    known = find_records(store, {mutation.record for mutation in mutations})
    for record in sorted({mutation.record for mutation in mutations}):
        sent = [mutation.id for mutation in mutations if mutation.record == record]
        took = [v.mutation for v in history(store, record) if v.writer == "device"]
        if record not in known or took != sent:
            yield f"{record}: saved {sent}, took effect {took}"


def main() -> int:
    """Runs the kills on SQLite in a folder of their own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        findings = run(Settings(data=Path(folder)), kills=given.kills, seed=given.seed)
    sys.stdout.write(json.dumps({**told(findings), "seconds": round(time.monotonic() - started)}))
    sys.stdout.write("\n")
    enough = findings.kills["all"] == given.kills
    return 0 if enough and findings.is_whole else 1


def told(findings: Findings) -> dict[str, object]:
    """The findings as numbers, and what is wrong by name."""
    count = findings.count
    return {
        "kills": findings.kills["all"],
        "of_device": findings.kills["device"],
        "of_server": findings.kills["server"],
        "inside_a_request": findings.kills["inside"],
        "inside": {name: n for name, n in findings.kills.items() if name.startswith("/")},
        "mutations": count.mutations,
        "photos_equal": count.photos_verified,
        "lost": count.names_of_lost,
        "not_exactly_once": findings.not_once,
        "records_nobody_saved": findings.strangers,
        "outbox": findings.outbox,
        "synced": findings.synced,
    }


if __name__ == "__main__":
    raise SystemExit(main())
