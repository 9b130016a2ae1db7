"""Uploads of photos, ours beside the reference server of tus: rates, memory, goals, the report.

Ours checks the hash of each photo and has it on the disk before it says so; the reference does
neither.
"""

import hashlib
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
import psutil

from bench import fieldstamp, tusnode, wire
from bench.cards import new_id
from bench.carriers import CARRIERS, Load, Photo, Trip, send_all
from bench.fieldstamp import Device, Running
from bench.processes import ROOT, cpu_seconds
from bench.stores import postgresql

MEGABYTE = 1024 * 1024
PHOTO_BYTES = 3 * MEGABYTE
COUNT, QUICK_COUNT = 100, 24
PIECES = {"whole": PHOTO_BYTES, "512_kb": 512 * 1024}
GOALS = {"whole": 1.5, "512_kb": 2.0}
MEMORY_GOAL_MB = 16.0
OURS, OURS_PG, REFERENCE = SYSTEMS = ("fieldstamp", "fieldstamp_pg", "tus_server")


@dataclass(slots=True)
class Sent:
    """One way of sending on one system."""

    rate: float
    """Megabytes a second."""
    p95: float
    """Milliseconds of a photo that 95 of 100 do not exceed."""
    grown: float
    """Megabytes by which the largest process grew beyond what it was idle."""
    cpu: float
    """Milliseconds of processor time of the server for each photo."""


@dataclass(slots=True)
class Peer:
    """A running server that takes photos."""

    port: int
    path: str
    pids: tuple[int, ...]
    """The server's first process, and then those that work for it, as a database does."""
    folder: Path
    devices: list[Device] = field(default_factory=list)
    """One a carrier; none where the server knows no devices."""

    def load(self, count: int, piece: int, *, seed: int) -> list[Load]:
        """What each carrier is to send; declares the photos where they must be."""
        share = -(-count // CARRIERS)
        loads = []
        for number in range(CARRIERS):
            first = seed + number * share
            photos = [self._declare(number, first + n) for n in range(share)]
            headers = self.devices[number].headers if self.devices else {}
            loads.append(Load(self.port, self.path, headers, photos, piece))
        return loads

    def _declare(self, number: int, seed: int) -> Photo:
        photo = Photo(seed, PHOTO_BYTES, {"filename": f"{seed}.jpg"})
        if not self.devices:
            return photo
        record = declare(self.port, self.devices[number], photo)
        said = {"photo": record, "sha256": photo.sha256(), "upload": new_id()}
        return Photo(seed, PHOTO_BYTES, said)

    def check(self, loads: Sequence[Load]) -> None:
        """Every photo is there with its bytes. Raises ``RuntimeError``."""
        wanted = {photo.sha256() for load in loads for photo in load.photos}
        found = {_hash(path) for path in self.folder.rglob("*") if path.is_file()}
        if not wanted <= found:
            raise RuntimeError(f"{len(wanted - found)} photos did not arrive")


def declare(port: int, device: Device, photo: Photo) -> str:
    """Pushes a customer and a photo beneath it; the photo's id."""
    customer, record = new_id(), new_id()
    values = {"name": "bench", "customer_type": "store"}
    about = {
        "parent_kind": "customer",
        "parent": customer,
        "sha256": photo.sha256(),
        "bytes": photo.size,
        "type": "image/jpeg",
        "source": "app_camera",
        "captured": "2026-03-02T09:00:00+08:00",
    }
    made = [_create("customer", customer, values), _create("photo", record, about)]
    body = {"protocol": 1, "acked_through": 0, "mutations": made}
    told = wire.ask(port, wire.request("POST", "/v1/sync/push", body, device.headers))
    if {result.get("outcome") for result in told["results"]} != {"applied"}:
        raise RuntimeError(f"refused: {told['results']}")
    return record


def _create(kind: str, record: str, values: Mapping[str, object]) -> dict[str, object]:
    about = {"id": new_id(), "action": "create", "kind": kind, "record": record, "base": 0}
    return {**about, "schema": 1, "app": "1.0.0", "set": values}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _on_sqlite(folder: Path) -> Iterator[Peer]:
    url = f"sqlite:///{folder / 'store.sqlite'}"
    with fieldstamp.serve(folder, url, database=(), threads="400") as server:
        yield _peer(folder, server)


@contextmanager
def _on_postgresql(folder: Path) -> Iterator[Peer]:
    with postgresql(folder) as database:
        url, pids = database.create_database(), (database.pid,)
        with fieldstamp.serve(folder, url, database=pids, threads="400") as server:
            yield _peer(folder, server)


def _peer(folder: Path, server: Running) -> Peer:
    path = "/v1/media/uploads"
    return Peer(server.port, path, server.pids, folder / "blobs", list(server.first))


@contextmanager
def _reference(folder: Path, modules: Path) -> Iterator[Peer]:
    with tusnode.serve(folder, modules) as (port, pid):
        yield Peer(port, "/files", (pid,), folder / "files")


Start = Callable[[Path], AbstractContextManager[Peer]]
OWN: dict[str, Start] = {OURS: _on_sqlite, OURS_PG: _on_postgresql}


def find_systems(wanted: Sequence[str]) -> dict[str, Start]:
    """How each of ``wanted`` is started. Raises :class:`tusnode.Missing`."""
    starts = dict(OWN)
    if REFERENCE in wanted:
        modules = tusnode.install(ROOT / ".dev" / "bench-tus")
        starts[REFERENCE] = lambda folder: _reference(folder, modules)
    return {name: starts[name] for name in wanted}


def _processes(peer: Peer) -> list[psutil.Process]:
    """Of the server alone: a database's keep what they read in memory that they share."""
    first = psutil.Process(peer.pids[0])
    return [first, *first.children(recursive=True)]


def _begin_peaks(processes: list[psutil.Process]) -> dict[int, float]:
    """Resident megabytes of each process now; from here on the kernel notes its peak anew."""
    for process in processes:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return {process.pid: process.memory_info().rss / MEGABYTE for process in processes}


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _measure(peer: Peer, count: int, piece: int, *, seed: int) -> Sent:
    loads = peer.load(count, piece, seed=seed)
    idle, used = _begin_peaks(_processes(peer)), cpu_seconds(peer.pids)
    trips = send_all(loads)
    used = cpu_seconds(peer.pids) - used
    grown = max(_peak(pid) - before for pid, before in idle.items())
    peer.check(loads)
    return _summed(trips, grown, used)


def _summed(trips: list[Trip], grown: float, used: float) -> Sent:
    spans = sorted(span for trip in trips for span in trip.spans)
    seconds = max(trip.ended for trip in trips) - min(trip.began for trip in trips)
    p95 = spans[-max(len(spans) // 20, 1)] * 1000
    rate = len(spans) * PHOTO_BYTES / MEGABYTE / seconds
    return Sent(rate, p95, grown, used * 1000 / len(spans))


Turn = dict[str, dict[str, Sent]]
"""System → way of sending → what was measured, all within one run."""


def _run_once(systems: Mapping[str, Start], count: int, number: int) -> Turn:
    found: Turn = {}
    for name, start in systems.items():
        print(f"run {number}: {name}", file=sys.stderr, flush=True)
        folder = Path(tempfile.mkdtemp(prefix="fieldstamp-bench-"))
        try:
            with start(folder) as peer:
                send_all(peer.load(CARRIERS, PHOTO_BYTES, seed=10_000_000))
                found[name] = {
                    way: _measure(peer, count, piece, seed=1_000_000 * place)
                    for place, (way, piece) in enumerate(PIECES.items(), start=1)
                }
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def run(runs: int, count: int, *, wanted: Sequence[str], told: Path | None) -> int:
    """Measures ``wanted`` systems ``runs`` times and prints the report; 1 where one cannot be."""
    try:
        systems = find_systems(wanted)
    except tusnode.Missing as missing:
        print(f"not measured: {missing}")
        return 1
    turns = [_run_once(systems, count, number) for number in range(1, runs + 1)]
    print(as_text(turns))
    if told:
        told.write_bytes(orjson.dumps([_plain(turn) for turn in turns]))
    return 0


def _plain(turn: Turn) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {way: asdict(sent) for way, sent in ways.items()} for name, ways in turn.items()}


def as_text(turns: list[Turn]) -> str:
    """Medians of the runs, and of the ratios within each run beside their goals."""
    lines = [
        "| uploads | system | MB/s | p95 ms | CPU ms a photo | MB over idle |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for way in PIECES:
        for name in turns[0]:
            sent = [turn[name][way] for turn in turns]
            told = ("rate", "p95", "cpu", "grown")
            values = [statistics.median(getattr(one, name) for one in sent) for name in told]
            lines.append(f"| {way} | {name} | " + " | ".join(f"{v:.1f}" for v in values) + " |")
    goals = [line for name in OWN if name in turns[0] for line in _goals(turns, name)]
    return "\n".join([*lines, "", *goals])


def _goals(turns: list[Turn], name: str) -> Iterator[str]:
    for way, goal in GOALS.items() if REFERENCE in turns[0] else ():
        ratios = [turn[name][way].rate / turn[REFERENCE][way].rate for turn in turns]
        median = statistics.median(ratios)
        word = _word(median >= goal)
        yield f"{name}, {way}: {median:.2f} x the reference, goal {goal}: {word}"
    most = max(turn[name][way].grown for turn in turns for way in PIECES)
    word = _word(most <= MEMORY_GOAL_MB)
    yield f"{name}, memory: idle + {most:.1f} MB, goal {MEMORY_GOAL_MB}: {word}"


def _word(reached: bool) -> str:
    return "reached" if reached else "MISSED"
