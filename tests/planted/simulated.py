"""Shows which planted bugs the simulator finds, and after how many seeds.

    python -m tests.planted.simulated --seeds 8 --jobs 2 [--bug ID] [--out FILE]

With each bug in the program the simulator plays seeds until a check fails; nothing is shrunk. They
are the first that have what ``needs.toml`` names, without which the bug would do nothing. At last
the seeds that found one are played without any bug, where none may fail. With ``--out`` each bug
is told as a line of JSON as it is done, and what the file tells is not played again.
"""

import argparse
import json
import multiprocessing
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path

from tests.planted.registry import BUGS
from tests.simulation.plan import PORTIONS, make_plan
from tests.simulation.run import run_seed

NEEDS: Mapping[str, Sequence[str]] = tomllib.loads(
    Path(__file__).with_name("needs.toml").read_text("utf-8")
)
"""By bug, the features, fates and traits that a seed must have, of those that only some have."""
NONE = "no bug"
PAGES = "pages"
"""What a seed has in which devices take little at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a bug."""

    bug: str
    seeds: list[int]
    """Played in this order; the last one failed, if any did."""
    check: str
    """The check that failed; empty: none did."""
    detail: str

    def told(self) -> str:
        """A line for a person."""
        said = f"{self.check}, seeds: {len(self.seeds)}" if self.check else "nothing"
        return f"{self.bug}: {said} {self.seeds}"


def choose_seeds(bug: str, number: int) -> list[int]:
    """The first ``number`` seeds in which ``bug`` could do harm."""
    return list(islice((seed for seed in count() if _may_show(bug, seed)), number))


def _may_show(bug: str, seed: int) -> bool:
    swarm = make_plan(seed).swarm
    traits = {*swarm.ops, *swarm.fates, *(["is_heard"] if swarm.is_heard else [])}
    traits |= {PAGES} if swarm.portion < max(PORTIONS) else set()
    return traits.issuperset(NEEDS.get(bug, ()))


def play(bug: str, seeds: Sequence[int]) -> Played:
    """Plays ``seeds`` with the bug in the program, until one fails."""
    played: list[int] = []
    with BUGS[bug].plant() if bug in BUGS else nullcontext():
        for seed in seeds:
            result = run_seed(seed)
            played.append(seed)
            if result.check is not None:
                detail = result.detail[-400:]
                return Played(bug=bug, seeds=played, check=result.check, detail=detail)
    return Played(bug=bug, seeds=played, check="", detail="")


def play_all(work: Mapping[str, Sequence[int]], jobs: int) -> Iterator[Played]:
    """What :func:`play` says of each bug, in a process of its own, as it comes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, max_tasks_per_child=1) as pool:
        for done in as_completed([pool.submit(play, *one) for one in work.items()]):
            yield done.result()


def _keep(played: Iterable[Played], out: Path | None) -> Iterator[Played]:
    for one in played:
        sys.stdout.write(one.told() + "\n")
        sys.stdout.flush()
        if out is not None:
            with out.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(one)) + "\n")
        yield one


def _read(out: Path | None) -> list[Played]:
    if out is None or not out.exists():
        return []
    found = (Played(**json.loads(line)) for line in out.read_text("utf-8").splitlines())
    return [one for one in found if one.bug != NONE]


def main(arguments: list[str] | None = None) -> int:
    """Tells of each bug; exit status 1 where a seed that found one fails also without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bug", action="append", choices=BUGS)
    parser.add_argument("--seeds", type=int, default=8, help="most seeds to a bug")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="append results; go on from them")
    given = parser.parse_args(arguments)
    wanted = given.bug or list(BUGS)
    done = [one for one in _read(given.out) if one.bug in wanted]
    left = [bug for bug in wanted if bug not in {one.bug for one in done}]
    work = {bug: choose_seeds(bug, given.seeds) for bug in left}
    done += _keep(play_all(work, given.jobs), given.out)
    found = sorted({one.seeds[-1] for one in done if one.check})
    sound = _keep(play_all({NONE: found}, 1), given.out)
    return 1 if any(one.check for one in sound) else 0


if __name__ == "__main__":
    raise SystemExit(main())
