"""Runs seeds: one after the other in a process, many in several, each in a folder of its own."""

import gc
import json
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tests.simulation.disk import Disk
from tests.simulation.plan import Action, Plan, make_plan
from tests.simulation.quiescence import heal
from tests.simulation.seen import Seen, Violation
from tests.simulation.site import make_template
from tests.simulation.stage import staged
from tests.simulation.world import World

MEMORY = Path("/dev/shm")


@dataclass
class Result:
    """What became of one seed."""

    seed: int
    steps: int = 0
    seconds: float = 0
    """Of processor time."""
    hash: str = ""
    check: str | None = None
    """The check that failed; None where every promise held."""
    detail: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def told(self) -> str:
        """One line of JSON."""
        return json.dumps(vars(self), ensure_ascii=False)

    @classmethod
    def read(cls, line: str) -> "Result":
        """What :meth:`told` wrote."""
        known = json.loads(line)
        return cls(**known | {"counts": Counter(known["counts"])})


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder in memory, where there is such a thing; gone afterwards."""
    where = MEMORY if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def collecting_later() -> Iterator[None]:
    """Most of what lives is the program; to go through it again and again takes long."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


@cache
def _template() -> Path:
    folder = make_template(Path(tempfile.mkdtemp(prefix="simulation-template-")))
    gc.freeze()
    return folder


def run_seed(seed: int, *, actions: Sequence[Action] | None = None) -> Result:
    """One seed, or of its actions only ``actions``, from the founding to the final checks."""
    plan = make_plan(seed)
    if actions is not None:
        plan = replace(plan, actions=tuple(actions))
    started, seen = time.process_time(), Seen()
    result = Result(seed=seed)
    try:
        with (
            workplace() as folder,
            collecting_later(),
            staged(seed, plan.swarm.portion),
            Disk() as disk,
        ):
            _play(plan, folder, disk, seen)
    except Violation as found:
        result.check, result.detail = found.check, found.detail
    except Exception as error:
        result.check = type(error).__name__
        result.detail = "".join(traceback.format_exception(error, limit=-6))
    result.seconds = round(time.process_time() - started, 3)
    result.steps, result.hash, result.counts = seen.steps, seen.hash, seen.counts
    result.lines = list(seen.lines) if result.check else []
    return result


def _play(plan: Plan, folder: Path, disk: Disk, seen: Seen) -> None:
    world = World(plan, folder, _template(), disk, seen)
    try:
        for action in plan.actions:
            world.perform(action)
        heal(world)
    finally:
        for machine in world.power.machines.values():
            for point, times in machine.points.items():
                seen.note("point", point, times)
        world.close()
