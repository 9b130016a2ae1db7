"""The baselines as measured systems: whole records on the version that was seen."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench import wire
from bench.cards import Card
from bench.processes import ROOT, free_port, gunicorn, running
from bench.system import Change, Page, Told

BARE, FLASK, NAIVE = "bare:wsgi", "bare:flask_view", "naive:app"
PAGE = 1000


@dataclass(slots=True)
class Running:
    """A running baseline; it knows no devices."""

    port: int
    pids: tuple[int, ...]

    def create(self, _client: int, cards: Sequence[Card]) -> bytes:
        """A push of new records."""
        return _push([{"id": card.id, "base": 0, "data": card.values} for card in cards])

    def patch(self, _client: int, changes: Sequence[Change]) -> bytes:
        """A push of whole records with their changes."""
        records = [
            {"id": card.id, "base": card.mark, "data": {**card.values, **changed}}
            for card, changed in changes
        ]
        return _push(records)

    overtake = patch

    def read_push(self, body: bytes) -> list[Told]:
        """``conflict`` is also what a repeated push is told."""
        return [
            Told("taken" if one["status"] == "ok" else "lost", one["version"])
            for one in orjson.loads(body)["results"]
        ]

    def pull(self, _client: int | None, cursor: Any) -> bytes:
        """A page behind the last one."""
        return wire.request("POST", "/pull", {"since": cursor or 0})

    def read_page(self, body: bytes) -> Page:
        """A page; a short one is the last."""
        page = orjson.loads(body)
        return Page(len(page["items"]), page["since"], len(page["items"]) == PAGE)


def _push(records: list[dict[str, Any]]) -> bytes:
    return wire.request("POST", "/push", {"records": records})


@contextmanager
def serve(folder: Path, url: str, *, target: str, database: tuple[int, ...]) -> Iterator[Running]:
    """A running baseline: :data:`BARE`, :data:`FLASK` or :data:`NAIVE`."""
    port, environment = free_port(), {"BENCH_DATABASE": url}
    if target == NAIVE:
        create = [sys.executable, "-m", "bench.baselines.naive"]
        subprocess.run(create, cwd=ROOT, env={**os.environ, **environment}, check=True)
    command = gunicorn(f"bench.baselines.{target}", port, workers=2)
    with running(command, port=port, folder=folder, environment=environment) as pid:
        yield Running(port, (pid, *database))
