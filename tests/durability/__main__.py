"""``python -m tests.durability --cycles N --seed S``: crashes at random calls; ``--each N``: at
each call of each act, with N draws of what survives.

A cycle is one crash, one start of the real code on what survived, and one check. Prints what was
played as JSON, and every finding; a finding fails the command.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from tests.durability.ground import Ground, new_folder, remove_folder
from tests.durability.playbill import SCENES
from tests.durability.scenes import Scene
from tests.durability.sweep import FAULTS, Finding, calls_of, play, tell
from tests.simulation.disk import Disk

WEIGHTS = (10, 2, 1, 1, 1, 1)
"""How often each of :data:`FAULTS` is chosen."""
SEEDS = 20
"""How often what survives is drawn anew for one crash."""
TOLD_SECONDS = 60


class Marathon:
    """The runs of one command and what they found."""

    def __init__(self, scenes: list[Scene], seed: int) -> None:
        self._chance = Random(seed)
        self._lengths = {scene.name: len(calls_of(scene)) for scene in scenes}
        self._scenes = scenes
        self.seed = seed
        self.cycles = Counter[str]()
        self.findings: list[Finding] = []

    def run(self, cycles: int) -> Iterator[None]:
        """Plays until there were so many cycles."""
        while self.cycles.total() < cycles:
            for scene in self._scenes:
                [fault] = self._chance.choices(FAULTS, WEIGHTS)
                call = self._chance.randint(1, self._lengths[scene.name] + 1)
                seeds = [self._chance.getrandbits(32) for _ in range(SEEDS)]
                self._play(scene, fault, call, seeds)
                yield

    def run_each(self, seeds: int) -> Iterator[None]:
        """Plays each fault at each call of each act once."""
        for scene in self._scenes:
            for fault in FAULTS:
                for call in range(1, self._lengths[scene.name] + 2):
                    self._play(scene, fault, call, range(seeds))
                    yield

    def told(self, seconds: float) -> str:
        """What was played so far."""
        total = self.cycles.total()
        return json.dumps(
            {
                "seed": self.seed,
                "cycles": total,
                "seconds": round(seconds),
                "found": len(self.findings),
                "by": dict(sorted(self.cycles.items())),
            }
        )

    def _play(self, scene: Scene, fault: str, call: int, seeds: Sequence[int]) -> None:
        found = play(scene, fault, call, seeds)
        self.findings += found
        if found:
            _say(tell(found))
        self.cycles[f"{scene.name}, {fault}"] += len(seeds) + (fault == "kill")


def main() -> int:
    """0 where nothing was lost."""
    asked = argparse.ArgumentParser(prog="python -m tests.durability", description=__doc__)
    asked.add_argument("--cycles", type=int, default=10_000)
    asked.add_argument("--each", type=int, default=0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--scenes", default=",".join(SCENES))
    given = asked.parse_args()
    folder = new_folder()
    try:
        with Disk() as disk:
            ground = Ground(folder, disk)
            scenes = [SCENES[name](ground) for name in given.scenes.split(",")]
            marathon = Marathon(scenes, given.seed)
            each, cycles = given.each, given.cycles
            _follow(marathon, marathon.run_each(each) if each else marathon.run(cycles))
            ground.close()
    finally:
        remove_folder(folder)
    return 1 if marathon.findings else 0


def _follow(marathon: Marathon, run: Iterator[None]) -> None:
    began = told = time.monotonic()
    for _ in run:
        if time.monotonic() - told > TOLD_SECONDS:
            told = time.monotonic()
            _say(marathon.told(told - began))
    _say(marathon.told(time.monotonic() - began))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
