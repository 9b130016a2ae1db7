"""P1 to P9 under faults: a sweep of the simulator, its determinism, and its shrinker.

``python -m tests.simulation`` is the long form; what it has seen stands in ``docs/measured.md``.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.simulation.plan import Action, load_actions, make_plan, save_actions
from tests.simulation.run import Result, run_seed
from tests.simulation.seen import Violation, hold
from tests.simulation.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
SLICES, SEEDS = 4, 6
"""Together about 20,000 steps."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a process that dies closes nothing
@pytest.mark.parametrize("slice_", range(SLICES))
def test_p1_to_p9_hold_under_faults_and_all_that_was_saved_is_in_place_afterwards(
    slice_: int,
) -> None:
    steps = 0
    for seed in range(1000 + slice_ * SEEDS, 1000 + (slice_ + 1) * SEEDS):
        result = run_seed(seed)
        assert result.check is None, told(result)
        steps += result.steps
    assert steps > 20_000 / SLICES


def told(result: Result) -> str:
    """What a failing seed says."""
    command = f"python -m tests.simulation --replay {result.seed}"
    return "\n".join([*result.lines, f"{result.check}: {result.detail}", command])


def test_a_seed_runs_the_same_twice_also_under_another_hash_seed() -> None:
    traces = {_trace(7, hash_seed) for hash_seed in ("0", "0", "1", "4711")}
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
