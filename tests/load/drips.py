"""Slow uploads beside the requests of everybody else: ``python -m tests.load.drips``.

Three phases, each beside a steady rate of pulls: uploads that drip, bodies that stall, and with
``--nginx`` connections whose headers never end. All of it on this machine, and it ends by itself;
each phase is printed as a row of a table.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.stores import postgresql
from server.db import database_url
from server.settings import Settings
from tests.lines import begin, declare
from tests.live import LiveServer, live_server
from tests.load.clients import Answers, Door, Uploads, crawl, drip, keep_asking, stall
from tests.load.front import Missing, serve_front

STALL_BYTES = 50_000
RAMP_SECONDS = 4.0
SILENCE_SECONDS = 20
HEAD = (
    "| phase | pulls answered | failed | p50 | p95 | uploads served | memory |\n"
    + "| --- " * 7
    + "|"
)


@dataclass(frozen=True)
class Row:
    """One phase, as it is printed."""

    phase: str
    answers: Answers
    uploads: Uploads
    peak_mb: float

    def __str__(self) -> str:
        answers, uploads = self.answers, self.uploads
        asked = uploads.served + uploads.refused
        cells = (
            self.phase,
            len(answers.seconds),
            len(answers.failed),
            f"{answers.at(0.5):.1f} ms",
            f"{answers.at(0.95):.1f} ms",
            f"{uploads.served} of {asked}" if asked else "",
            f"{self.peak_mb:.0f} MB",
        )
        return f"| {' | '.join(map(str, cells))} |"

    @property
    def holds(self) -> bool:
        """Whether everybody was served: each pull answered, no upload turned away."""
        return not self.answers.failed and not self.uploads.refused


class Memory:
    """The most memory (unique set size) that some processes and their children had at once."""

    def __init__(self, pids: Sequence[int], *, every: float = 0.5) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._every = every
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> "Memory":
        self._watcher.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, self._now())
            if self._over.wait(self._every):
                return

    def _now(self) -> float:
        total = 0
        for root in self._roots:
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += process.memory_full_info().uss
        return total / 1e6


@dataclass
class Stage:
    """A running server, and the door through which it is approached."""

    server: LiveServer
    door: Door
    photo: str
    rate: int
    """Pulls a second."""

    def uploads(self, count: int, length: int) -> list[str]:
        """Paths of ``count`` new uploads."""
        return [begin(self.server, self.photo, length) for _ in range(count)]

    def play(
        self,
        phase: str,
        trouble: Sequence[Coroutine[Any, Any, None]],
        *,
        seconds: float,
        uploads: Uploads,
        over: asyncio.Event | None = None,
    ) -> Row:
        """Makes ``trouble`` and goes on asking meanwhile; ``over`` is set when all is answered."""
        answers = Answers()

        async def both() -> None:
            made = [asyncio.create_task(one) for one in trouble]
            for one in made:
                one.add_done_callback(lambda _over: answers.note_end())
            await keep_asking(self.door, answers, per_second=self.rate, seconds=seconds)
            if over is not None:
                over.set()
            await asyncio.gather(*made)

        pids = [process.pid for process in self.server.processes]
        # In a thread of its own: a browser of another test may have a loop running in this one.
        with Memory(pids) as memory, ThreadPoolExecutor(1) as alone:
            alone.submit(lambda: asyncio.run(both())).result()
        return Row(phase, answers, uploads, memory.peak_mb)


def drips(stage: Stage, *, count: int, per_second: int, seconds: int) -> Row:
    """``count`` uploads at ``per_second`` bytes, begun one by one within the first seconds."""
    content, uploads = bytes(per_second * seconds), Uploads()
    paths = stage.uploads(count, len(content) + 1)
    trouble = [
        drip(
            stage.door,
            path,
            uploads,
            content=content,
            per_second=per_second,
            after=RAMP_SECONDS * number / count,
        )
        for number, path in enumerate(paths)
    ]
    return stage.play(f"{count} dripping uploads", trouble, seconds=seconds, uploads=uploads)


def stalls(stage: Stage, *, count: int, seconds: int) -> Row:
    """``count`` bodies that stop in the middle."""
    content, uploads = bytes(STALL_BYTES), Uploads()
    paths = stage.uploads(count, 12 * len(content))
    trouble = [
        stall(stage.door, path, uploads, content=content, seconds=10 * SILENCE_SECONDS)
        for path in paths
    ]
    return stage.play(f"{count} stalled bodies", trouble, seconds=seconds, uploads=uploads)


def crawls(stage: Stage, *, count: int, seconds: int) -> Row:
    """``count`` connections whose headers never end."""
    over = asyncio.Event()
    trouble = [crawl(stage.door, over) for _ in range(count)]
    name = f"{count} slow headers"
    return stage.play(name, trouble, seconds=seconds, uploads=Uploads(), over=over)


@contextlib.contextmanager
def open_stage(
    folder: Path, *, nginx: bool, rate: int, database: str = "", **given: str
) -> Iterator[Stage]:
    """A server with its usual settings; behind nginx two pools, as ``deploy/`` has them.

    ``given`` are settings of the pool that takes uploads.
    """
    data = folder / "data"
    url = database or f"sqlite:///{data}/store.sqlite"
    settings = Settings(data=data, database=url, access_minutes=600)
    data.mkdir()
    pools = {"FIELDSTAMP_WORKERS": "2", "FIELDSTAMP_SILENCE_SECONDS": str(SILENCE_SECONDS)}
    slow = {**pools, "FIELDSTAMP_THREADS": "400", "FIELDSTAMP_UPLOAD_SLOTS": "360"}
    with contextlib.ExitStack() as open_, live_server(settings, **slow | given) as server:
        headers, photo = server.device.headers, declare(server, b"photo")
        if not nginx:
            yield Stage(server, Door(server.port, headers), photo, rate)
            return
        json = server.start_beside(**pools, FIELDSTAMP_THREADS="16")
        port, tls = open_.enter_context(serve_front(folder, json=json, uploads=server.port))
        yield Stage(server, Door(port, headers, tls), photo, rate)


def read_arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.drips", description=__doc__)
    parser.add_argument("--drips", type=int, default=300)
    parser.add_argument("--rate", type=int, default=5_000, help="bytes a second of each")
    parser.add_argument("--stalled", type=int, default=64)
    parser.add_argument("--slow-headers", type=int, default=200, help="with --nginx")
    parser.add_argument("--json", type=int, default=40, help="pulls a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--nginx", action="store_true", help="behind the nginx of deploy/")
    parser.add_argument("--postgresql", action="store_true", help="the store is there")
    return parser.parse_args(given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a row for each phase; status 1 if a pull failed or an upload was turned away."""
    asked, rows = read_arguments(arguments), []
    with contextlib.ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="fieldstamp-load-")))
        url = ""
        if asked.postgresql:
            url = database_url(open_.enter_context(postgresql(folder)).create_database())
        begun = open_stage(folder, nginx=asked.nginx, rate=asked.json, database=url)
        try:
            stage = open_.enter_context(begun)
        except Missing as missing:
            _tell(f"not measured: {missing}")
            return 2
        _tell(HEAD)
        for row in _phases(stage, asked):
            _tell(row)
            rows.append(row)
    return int(not all(row.holds for row in rows))


def _tell(row: object) -> None:
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


def _phases(stage: Stage, asked: argparse.Namespace) -> Iterator[Row]:
    yield stage.play("nothing else", [], seconds=5, uploads=Uploads())
    yield drips(stage, count=asked.drips, per_second=asked.rate, seconds=asked.seconds)
    yield stalls(stage, count=asked.stalled, seconds=asked.seconds)
    if asked.nginx:
        yield crawls(stage, count=asked.slow_headers, seconds=asked.seconds)


if __name__ == "__main__":
    raise SystemExit(main())
