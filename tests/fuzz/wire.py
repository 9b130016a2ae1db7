"""Mutated pictures over the wire: ``python -m tests.fuzz.wire --count 1000 --seed 1``.

A real server and a real worker take what ``tests.fuzz.images`` makes. Counted are the answers, the
verdicts in the records, and whether both processes and a healthy photo are none the worse.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import requests

from server.extensions import db
from server.settings import Settings
from server.sync.queries import find_records
from tests.company import ORIGIN
from tests.fuzz.images import make_files
from tests.lines import begin, declare, patch
from tests.live import LiveServer, live_server
from tests.pictures import draw

PATIENCE_SECONDS = 600.0


def hand_in(server: LiveServer, content: bytes, counts: Counter[str]) -> str:
    """Sends one file, and asks in between whether the server is well."""
    photo = declare(server, content)
    answer = patch(server, begin(server, photo, len(content)), 0, content)
    counts[f"upload answered with {answer.status_code}"] += 1
    well = requests.get(f"{server.url}/readyz", timeout=20)
    counts[f"readiness answered with {well.status_code}"] += 1
    return photo


def verdicts(server: LiveServer, photos: list[str]) -> Counter[str]:
    """What the records say, once the worker has looked into every file."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with server.app.app_context():
            found = find_records(db.session(), photos).values()
            told = [record.data.get("content") for record in found]
            db.session.remove()
        if None not in told:
            return Counter(f"record says {content}" for content in told)
        time.sleep(0.5)
    raise AssertionError("the worker has not looked into every file")


def run(folder: Path, count: int, seed: int) -> Counter[str]:
    """All of it in ``folder``."""
    settings = Settings(
        data=folder / "data",
        database=f"sqlite:///{folder}/store.sqlite",
        origins=(ORIGIN,),
        access_minutes=600,
    )
    settings.data.mkdir(parents=True)
    counts: Counter[str] = Counter()
    with live_server(settings) as server:
        worker = server.start("work")
        files = [content for _name, content in make_files(seed, count) if content]
        photos = [hand_in(server, content, counts) for content in files]
        last = hand_in(server, draw(seed=77), counts)
        counts += verdicts(server, photos)
        counts["healthy at the end"] = verdicts(server, [last])["record says readable"]
        counts["processes that ended"] = sum(one.poll() is not None for one in server.processes)
        counts["worker alive"] = int(worker.poll() is None)
    return counts


def is_good(counts: Counter[str]) -> bool:
    """No answer was a fault, and everybody is alive."""
    faults = sum(count for what, count in counts.items() if "answered with 5" in what)
    return not faults and counts["worker alive"] == counts["healthy at the end"] == 1


def main() -> int:
    """Prints the counts; 1 where anything but a file came to harm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fieldstamp-fuzz-") as folder:
        counts = run(Path(folder), given.count, given.seed)
    for what, count in sorted(counts.items()):
        sys.stdout.write(f"{what:34}{count:9,}\n")
    return 0 if is_good(counts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
