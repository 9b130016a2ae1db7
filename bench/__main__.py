"""``python -m bench``: runs every workload on every system, and prints the report."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson

from bench import photos
from bench.crew import Crew, hired
from bench.processes import ROOT
from bench.report import Report, Round
from bench.stores import postgresql
from bench.systems import OURS, OURS_PG, SLOW, Field, find_systems
from bench.workloads import Measured, Run
from server.clock import SystemClock

FULL, QUICK = 20_000, 4_000
GROWN = 200_000
FILL = 40_000
"""Records that are made at a time to let a store grow, so that a million fit into memory."""


def read_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--uploads", action="store_true", help="measure uploads of photos instead")
    parser.add_argument("--quick", action="store_true", help="one run of fewer records or photos")
    parser.add_argument("--runs", type=int, help="default: 3, or 1 with --quick")
    parser.add_argument("--records", type=int, help=f"default: {FULL}, or {QUICK} with --quick")
    parser.add_argument(
        "--grown", type=int, help=f"records in the grown store; default: {GROWN}, or none"
    )
    parser.add_argument("--threads", type=int, default=1, help="of each of our server processes")
    parser.add_argument("--photos", type=int, help="photos of an upload; default: 100, or 24")
    parser.add_argument("--systems", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    asked = parser.parse_args(given)
    asked.runs = asked.runs or (1 if asked.quick else 3)
    asked.records = asked.records or (QUICK if asked.quick else FULL)
    asked.photos = asked.photos or (photos.QUICK_COUNT if asked.quick else photos.COUNT)
    asked.grown = (0 if asked.quick else GROWN) if asked.grown is None else asked.grown
    return asked


def measure(run: Run, records: int) -> dict[str, Measured]:
    """The workloads on one system, in the order in which they build on each other."""
    run.warm_up()
    found = {"push_100": run.push(records, 100, seed="a")}
    found["pull"] = run.pull()
    found["poll"] = run.poll()
    found["again_100"] = run.again()
    found["update_100"] = run.update(100)
    found["push_500"] = run.push(records, 500, seed="b")
    return found


def measure_grown(run: Run, records: int, grown: int) -> dict[str, Measured]:
    """The same push and poll when ``grown`` records are in the store."""
    with run.followed():
        for done in range(2 * records, grown, FILL):
            run.push(min(FILL, grown - done), 500, seed=f"grown{done}")
    return {
        "grown_push_100": run.push(records, 100, seed="c"),
        "grown_poll": run.poll(),
    }


def measure_round(field: Field, crew: Crew, asked: argparse.Namespace, number: int) -> Round:
    """Every system once."""
    found: Round = {}
    for name in asked.systems or field.starts:
        print(f"run {number}: {name}", file=sys.stderr, flush=True)
        records = int(asked.records * SLOW.get(name, 1))
        with field.start(name) as system:
            run = Run(system, crew)
            found[name] = measure(run, records)
            if asked.grown and name in {OURS, OURS_PG}:
                found[name] |= measure_grown(run, records, asked.grown)
    return found


def main() -> int:
    """Runs everything; the exit status says only whether it could be run."""
    asked = read_arguments()
    if asked.uploads:
        systems = asked.systems or photos.SYSTEMS
        return photos.run(asked.runs, asked.photos, wanted=systems, told=asked.json)
    with (
        tempfile.TemporaryDirectory(prefix="fieldstamp-bench-") as folder,
        postgresql(Path(folder)) as database,
        hired() as crew,
    ):
        npm, threads = ROOT / ".dev" / "bench", asked.threads
        field = find_systems(database, npm, asked.systems or (), threads=threads)
        report = Report(SystemClock().now(), asked.records, absent=field.absent)
        for number in range(1, asked.runs + 1):
            report.rounds.append(measure_round(field, crew, asked, number))
    print(report.as_text())
    if asked.json:
        asked.json.write_bytes(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
