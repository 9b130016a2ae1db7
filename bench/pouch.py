"""PouchDB Server from the npm registry, where node and npm are at hand; never a dependency."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench import wire
from bench.cards import Card
from bench.processes import free_port, running
from bench.system import Change, Page, Told

PACKAGE = "pouchdb-server@4.2.0"
INSTALL_SECONDS = 300
PAGE = 1000


class Missing(Exception):
    """Why the peer cannot be measured here, for a person."""


@dataclass(slots=True)
class Running:
    """A running server with one database; it knows no devices."""

    port: int
    pids: tuple[int, ...]

    def create(self, _client: int, cards: Sequence[Card]) -> bytes:
        """New documents in bulk."""
        return _push([{"_id": card.id, **card.values} for card in cards])

    def patch(self, _client: int, changes: Sequence[Change]) -> bytes:
        """Whole documents on the revision that was seen."""
        return _push(
            [{"_id": c.id, "_rev": c.mark, **c.values, **changed} for c, changed in changes]
        )

    overtake = patch

    def read_push(self, body: bytes) -> list[Told]:
        """Revisions; ``conflict`` is also what a repeated push is told."""
        return [
            Told("taken" if one.get("ok") else "lost", one.get("rev")) for one in orjson.loads(body)
        ]

    def pull(self, _client: int | None, cursor: Any) -> bytes:
        """A page of the feed with its documents."""
        query = f"since={cursor or 0}&limit={PAGE}&include_docs=true"
        return wire.request("GET", f"/calls/_changes?{query}")

    def read_page(self, body: bytes) -> Page:
        """A page; a short one is the last."""
        page = orjson.loads(body)
        return Page(len(page["results"]), page["last_seq"], len(page["results"]) == PAGE)


def _push(documents: list[dict[str, Any]]) -> bytes:
    return wire.request("POST", "/calls/_bulk_docs", {"docs": documents})


def install(folder: Path) -> Path:
    """The program, installed below ``folder`` where it is not. Raises :class:`Missing`."""
    program = folder / "node_modules" / "pouchdb-server" / "bin" / "pouchdb-server"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("node and npm are not installed")
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            raise Missing(f"npm could not install {PACKAGE}") from error
    return program


@contextmanager
def serve(folder: Path, program: Path) -> Iterator[Running]:
    """A running server on LevelDB, which does not wait for the disk."""
    port = free_port()
    options = ["--port", str(port), "--host", wire.HOST, "--dir", str(folder), "--no-stdout-logs"]
    command = ["node", str(program), *options, "--config", str(folder / "config.json")]
    with running(command, port=port, folder=folder, within=folder) as pid:
        wire.ask(port, wire.request("PUT", "/calls"))
        yield Running(port, (pid,))
