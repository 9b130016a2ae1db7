"""P1 to P9 under faults: a sweep of the simulator, its determinism, and its shrinker.

``python -m tests.simulation`` is the long form; what it has seen stands in ``docs/measured.md``.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.simulation.coverage import EXPECTED, LONG_RUN, SHORT_RUN, find_zeros, say
from tests.simulation.plan import Action, load_actions, make_plan, save_actions
from tests.simulation.run import Result, run_seed
from tests.simulation.seen import Violation, hold
from tests.simulation.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
SLICES, SEEDS = 8, 3
"""Together a little more than 20,000 steps."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a process that dies closes nothing
@pytest.mark.parametrize("slice_", range(SLICES))
def test_p1_to_p9_hold_under_faults_and_all_that_was_saved_is_in_place_afterwards(
    slice_: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    results = [run_seed(seed) for seed in range(1000 + slice_ * SEEDS, 1000 + (slice_ + 1) * SEEDS)]
    failed = [told(result) for result in results if result.check is not None]
    assert not failed, failed[0]
    played = gather(shared_folder(tmp_path_factory), slice_, results)
    if len(played) == SLICES * SEEDS:  # this was the last of the slices
        assert sum(one.steps for one in played) > SHORT_RUN
        assert not find_zeros(played), say(played)


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def gather(folder: Path, slice_: int, results: list[Result]) -> list[Result]:
    """The results of all slices that have been played until now, in whichever process."""
    fresh = folder / f"simulated-{slice_}.fresh"
    fresh.write_text("\n".join(one.told() for one in results), "utf-8")
    fresh.rename(fresh.with_suffix(".played"))
    played = [path.read_text("utf-8") for path in sorted(folder.glob("simulated-*.played"))]
    return [Result.read(line) for lines in played for line in lines.splitlines()]


@pytest.mark.parametrize(("steps", "due"), [(500, False), (SHORT_RUN, True), (LONG_RUN, True)])
def test_what_a_run_should_have_seen_and_never_saw_fails_it(steps: int, due: bool) -> None:
    seen = Counter(dict.fromkeys(EXPECTED - {"rule/own_edit", "crash/server.wal.write"}, 1))
    zeros = find_zeros([Result(seed=1, steps=steps, counts=seen)])
    assert ("rule/own_edit" in zeros) is due
    assert ("crash/server.wal.write" in zeros) is (steps == LONG_RUN)


def told(result: Result) -> str:
    """What a failing seed says."""
    command = f"python -m tests.simulation --replay {result.seed}"
    return "\n".join([*result.lines, f"{result.check}: {result.detail}", command])


def test_a_seed_runs_the_same_twice_also_under_another_hash_seed() -> None:
    traces = {_trace(7, hash_seed) for hash_seed in ("0", "0", "4711")}
    assert len(traces) == 1


def _trace(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--replay", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def test_a_failing_list_of_actions_is_shrunk_to_what_is_needed(tmp_path: Path) -> None:
    actions = make_plan(1).actions
    needed = {actions[40], actions[200]}

    def fails(candidate: Sequence[Action]) -> bool:
        return needed <= set(candidate)

    short = shrink(actions, fails)
    assert set(short) == needed
    save_actions(tmp_path / "short.json", short)
    assert load_actions(tmp_path / "short.json") == tuple(short)


def test_a_promise_that_does_not_hold_ends_a_run_with_the_name_of_its_check() -> None:
    with pytest.raises(Violation) as broken:
        hold("I1", False, "lost")
    assert (broken.value.check, broken.value.detail) == ("I1", "lost")
