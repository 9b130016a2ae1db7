"""Sweeps seeds, replays one, shrinks what fails: ``python -m tests.simulation --help``."""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path

from tests.simulation.coverage import find_zeros, say
from tests.simulation.plan import Action, load_actions, make_plan, save_actions
from tests.simulation.run import Result, run_seed
from tests.simulation.shrink import shrink


def main() -> int:
    """Status 0: every promise held in every seed, and everything there is to see was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", default="0..1000000000", help="first..last")
    parser.add_argument("--steps", type=int, default=20_000, help="stop after so many steps")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="append results as JSON lines; go on from them")
    parser.add_argument("--go-on", action="store_true", help="behind a seed that fails, unshrunk")
    parser.add_argument("--replay", type=int, metavar="SEED")
    parser.add_argument("--actions", type=Path, help="with --replay: only these actions")
    given = parser.parse_args()
    if given.replay is not None:
        return _replay(given.replay, given.actions)
    first, last = map(int, given.seeds.split(".."))
    done = _read(given.out)
    known = {one.seed for one in done}
    steps = sum(one.steps for one in done)
    left = (seed for seed in range(first, last + 1) if seed not in known)
    for result in _sweep(left, steps=given.steps - steps, jobs=given.jobs):
        done.append(result)
        _keep(given.out, result)
        if result.check is None:
            continue
        if not given.go_on:
            _tell_failure(result)
            return 1
        sys.stdout.write(f"seed {result.seed} broke {result.check}\n")
    sys.stdout.write(say(done))
    return 1 if find_zeros(done) or any(one.check for one in done) else 0


def _sweep(seeds: Iterator[int], *, steps: int, jobs: int) -> Iterator[Result]:
    if steps <= 0:
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(run_seed, seed) for seed in islice(seeds, 2 * jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                result = one.result()
                steps -= result.steps
                yield result
                if steps > 0:
                    running |= {pool.submit(run_seed, seed) for seed in islice(seeds, 1)}


def _read(out: Path | None) -> list[Result]:
    if out is None or not out.exists():
        return []
    found = [Result.read(line) for line in out.read_text("utf-8").splitlines()]
    return [one for one in found if one.check is None]


def _keep(out: Path | None, result: Result) -> None:
    if out is not None:
        with out.open("a", encoding="utf-8") as lines:
            lines.write(result.told() + "\n")


def _replay(seed: int, actions: Path | None) -> int:
    result = run_seed(seed, actions=load_actions(actions) if actions else None)
    sys.stdout.write("\n".join(result.lines) + f"\ntrace {result.hash}, {result.steps} steps\n")
    if result.check is not None:
        sys.stdout.write(f"{result.check}: {result.detail}\n")
    return 0 if result.check is None else 1


def _tell_failure(result: Result) -> None:
    def fails(actions: Sequence[Action]) -> bool:
        return run_seed(result.seed, actions=actions).check == result.check

    sys.stdout.write("\n".join(result.lines) + "\n")
    sys.stdout.write(f"seed {result.seed} broke {result.check}: {result.detail}\nshrinking …\n")
    short = shrink(make_plan(result.seed).actions, fails)
    file = Path(tempfile.mkdtemp(prefix="simulation-")) / f"{result.seed}.json"
    save_actions(file, short)
    told = "\n".join(f"  {one.op} {one.who} {one.salt}" for one in short)
    sys.stdout.write(f"{len(short)} actions are enough:\n{told}\n")
    command = f"python -m tests.simulation --replay {result.seed} --actions {file}"
    sys.stdout.write(f"{command}\n")


if __name__ == "__main__":
    sys.exit(main())
