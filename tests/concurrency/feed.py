"""P4 under load: many writers in real processes against one PostgreSQL, and readers that follow.

    python -m tests.concurrency.feed --rows 1000000 --writers 32 --pollers 4 --hold 30

Each writer pushes batches through the real push and holds its transaction open for a random time
before the commit; one in ten is rolled back instead; one writer holds a single transaction for
``--hold`` seconds. Each poller follows the feed through the real pull, as a device does. At the
end every committed row must have reached every poller exactly once. ``--naive`` reads by the plain
sequence instead, and must lose rows: it shows that the run could fail.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from server.clock import SystemClock
from server.db import engine_options, prepare
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.ids import IdMaker
from server.people.principal import Grant, Principal, Role
from server.sync.engine import Sync
from server.sync.kinds import Author, Data, Placement, Registry
from server.sync.pull import pull
from server.sync.push import Envelope, push_batch
from tests.concurrency.postgres import running_postgres

BATCH = 100
ROLLED_BACK = 0.1
REGION = "01930000-0000-7000-8000-000000000001"


class Note(shapes.Shape):
    """The smallest record."""

    words = shapes.text("内容", "Words", required=True)
    flags = shapes.flags({})


def place(_note: Data, _by: Author) -> Placement:
    """All notes lie in one region, so that its scope is as hot as can be."""
    return Placement(scopes=frozenset({f"region:{REGION}"}), region=REGION)


NOTE = kind_from_schema(Note, "note", zh="便条", en="Note", place=place)


class RolledBack(Exception):
    """What a writer raises instead of committing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all processes of one run share."""

    url: str
    folder: Path
    rows: int
    writers: int
    pollers: int
    hold: float
    longest: float
    naive: bool
    seed: int


def _sync() -> Sync:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    clock = SystemClock()
    return Sync(
        registry=Registry.of([NOTE]),
        clock=clock,
        ids=IdMaker(clock),
        key=Ed25519PrivateKey.from_private_bytes(bytes(32)),
        secret="s" * 64,
        poll_seconds=60,
    )


def _principal(number: int) -> Principal:
    user = f"01930000-0000-7000-9000-{number:012x}"
    grant = Grant(Role.REGION_MANAGER, frozenset({REGION}))
    return Principal(user=user, name="", session="", grants=(grant,), home_region=REGION)


def _session(url: str) -> Session:
    engine = create_engine(url, **engine_options(url) | {"pool_size": 1})
    prepare(engine)
    return Session(engine)


def _mutation(sync: Sync) -> dict[str, Any]:
    about = {"action": "create", "kind": "note", "record": sync.ids.new(), "base": 0}
    return {"id": sync.ids.new(), **about, "set": {"words": "x" * 40}}


def write(run: Run, number: int, ready: Barrier) -> None:
    """One writer: pushes its share, and notes each committed record with the time of its commit."""
    sync, session = _sync(), _session(run.url)
    chance = random.Random(run.seed * 1000 + number)
    envelope = Envelope(sender=_principal(number), writer="device")
    hold = [run.hold if number == 0 else 0.0]

    @event.listens_for(session, "before_commit")
    def delay(_session: Session) -> None:
        time.sleep(hold.pop() if hold else chance.random() * run.longest)
        if chance.random() < ROLLED_BACK:
            raise RolledBack

    left = run.rows // run.writers
    ready.wait()
    with (run.folder / f"written-{number}").open("w") as file:
        while left > 0:
            batch = [_mutation(sync) for _ in range(min(BATCH, left))]
            try:
                push_batch(sync, session, envelope, batch)
            except RolledBack:
                continue
            file.writelines(f"{one['record']} {time.monotonic()}\n" for one in batch)
            file.flush()
            left -= len(batch)


def follow(run: Run, number: int, ready: Barrier, finished: Event) -> None:
    """One poller: reads until the writers are done and nothing more comes; notes what it saw."""
    session = _session(run.url)
    read = _naive_reader(session) if run.naive else _reader(session, number)
    ready.wait()
    with (run.folder / f"seen-{number}").open("w") as file:
        seen, is_over = [""], False
        while seen or not is_over:
            # What another poller is numbering at this moment comes with a later page.
            is_over = finished.is_set() and (run.naive or not _unnumbered(session))
            seen = read()
            now = time.monotonic()
            file.writelines(f"{record} {now}\n" for record in seen)
            if not seen:
                time.sleep(0.02)


def _unnumbered(session: Session) -> int:
    session.rollback()  # the last page may have left a moment open in which there was nothing yet
    count: int = session.execute(text("SELECT count(*) FROM feed WHERE seq IS NULL")).scalar_one()
    session.rollback()
    return count


def _reader(session: Session, number: int) -> Callable[[], list[str]]:
    sync, reader, cursor = _sync(), _principal(1000 + number), [None]

    def read() -> list[str]:
        page = orjson.loads(pull(sync, session, reader, cursor=cursor[0], limit=1000))
        cursor[0] = page["cursor"]
        return [item["record"] for item in page["items"]]

    return read


def _naive_reader(session: Session) -> Callable[[], list[str]]:
    """Reads behind the highest key it saw, as if keys were given in the order of commits."""
    cursor = [0]
    statement = text(
        "SELECT feed.key, record.id FROM feed JOIN record ON record.key = feed.record"
        " WHERE feed.key > :cursor ORDER BY feed.key LIMIT 1000"
    )

    def read() -> list[str]:
        session.rollback()
        found = session.execute(statement, {"cursor": cursor[0]}).all()
        cursor[0] = found[-1][0] if found else cursor[0]
        return [row[1] for row in found]

    return read


def _read_log(path: Path) -> list[tuple[str, float]]:
    lines = (line.split() for line in path.read_text().splitlines())
    return [(record, float(at)) for record, at in lines]


def judge(run: Run) -> dict[str, Any]:
    """Compares what was committed with what each poller saw."""
    written = dict(
        entry
        for number in range(run.writers)
        for entry in _read_log(run.folder / f"written-{number}")
    )
    missed = repeated = strange = 0
    delays: list[float] = []
    for number in range(run.pollers):
        log = _read_log(run.folder / f"seen-{number}")
        seen = dict(reversed(log))
        missed += len(written.keys() - seen.keys())
        strange += len(seen.keys() - written.keys())
        repeated += len(log) - len(seen)
        delays += [seen[one] - at for one, at in written.items() if one in seen]
    delays.sort()
    return {
        "rows": len(written),
        "writers": run.writers,
        "pollers": run.pollers,
        "missed": missed,
        "repeated": repeated,
        "strange": strange,
        "visible_p50_ms": round(delays[len(delays) // 2] * 1000, 1) if delays else None,
        "visible_p99_ms": round(delays[len(delays) * 99 // 100] * 1000, 1) if delays else None,
    }


def _numbering(url: str) -> dict[str, int]:
    """Whether the numbers of the feed are dense, and whether any row has none."""
    session = _session(url)
    row = session.execute(
        text(
            "SELECT count(*), count(DISTINCT seq), coalesce(min(seq), 0), coalesce(max(seq), 0),"
            " count(*) FILTER (WHERE seq IS NULL) FROM feed"
        )
    ).one()
    session.close()
    session.get_bind().engine.dispose()
    count, distinct, first, last, unnumbered = row
    gaps = last - first + 1 - distinct if count else 0
    return {"gaps": gaps, "doubled": count - unnumbered - distinct, "unnumbered": unnumbered}


def run_all(run: Run) -> dict[str, Any]:
    """Starts the processes, waits for them, and judges."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["server.domain.declaration", "server.sync.pull", "server.sync.push"]
    )
    finished, ready = context.Event(), context.Barrier(run.writers + run.pollers)
    pollers = [
        context.Process(target=follow, args=(run, n, ready, finished)) for n in range(run.pollers)
    ]
    writers = [context.Process(target=write, args=(run, n, ready)) for n in range(run.writers)]
    began = time.monotonic()
    for process in (*pollers, *writers):
        process.start()
    for process in writers:
        process.join()
    written = time.monotonic() - began
    finished.set()
    for process in pollers:
        process.join()
    failed = [p.exitcode for p in (*writers, *pollers) if p.exitcode]
    numbering = {} if run.naive else _numbering(run.url)
    return {**judge(run), **numbering, "failed": len(failed), "seconds": round(written, 1)}


def main(arguments: list[str] | None = None) -> int:
    """Runs once and prints one JSON object; exit status 1 where anything was missed or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--pollers", type=int, default=4)
    parser.add_argument("--hold", type=float, default=3.0, help="seconds of the one long hold")
    parser.add_argument(
        "--longest",
        type=float,
        default=0.04,
        help="seconds up to which every transaction is held; more of it leaves room to follow",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--naive", action="store_true")
    given = vars(parser.parse_args(arguments))
    with running_postgres() as url, tempfile.TemporaryDirectory() as folder:
        told = run_all(Run(url=url, folder=Path(folder), **given))
    sys.stdout.write(json.dumps(told) + "\n")
    wrong = ("missed", "repeated", "strange", "gaps", "doubled", "unnumbered", "failed")
    return int(any(told.get(name) for name in wrong))


if __name__ == "__main__":
    raise SystemExit(main())
