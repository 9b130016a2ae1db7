"""Shows which planted bugs the simulator finds, and after how many seeds.

    python -m tests.planted.simulated --seeds 20 --jobs 2 [--bug ID]

For each bug the simulator plays seeds from 0 on until a check fails. Without a bug none of these
seeds may fail, which is tried first.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

from tests.planted.registry import BUGS
from tests.simulation.run import run_seed

NONE = "no bug"


def play(bug: str, seeds: int) -> tuple[str, int, str]:
    """The bug, how many seeds were played, and the check that failed in the last one."""
    with BUGS[bug].plant() if bug in BUGS else nullcontext():
        for seed in range(seeds):
            result = run_seed(seed)
            if result.check is not None:
                return bug, seed + 1, result.check
    return bug, seeds, ""


def play_all(bugs: list[str], seeds: int, jobs: int) -> Iterator[tuple[str, int, str]]:
    """What :func:`play` says of each bug, in a process of its own, as it comes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, max_tasks_per_child=1) as pool:
        for future in [pool.submit(play, bug, seeds) for bug in bugs]:
            yield future.result()


def main(arguments: list[str] | None = None) -> int:
    """Prints a row for each bug; exit status 1 where a seed fails without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bug", action="append", choices=BUGS)
    parser.add_argument("--seeds", type=int, default=20, help="most seeds to a bug")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args(arguments)
    bugs = [NONE, *(given.bug or BUGS)]
    sound = True
    for bug, seeds, check in play_all(bugs, given.seeds, given.jobs):
        told = f"{check}, seeds: {seeds}" if check else f"nothing in {seeds} seeds"
        sys.stdout.write(f"{bug}: {told}\n")
        sys.stdout.flush()
        sound = sound and not (bug == NONE and check)
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
