"""Crashes, full disks and disk errors at the calls of each act; ``python -m tests.durability``
plays all of them."""

import pytest

from tests.durability.ground import Ground
from tests.durability.playbill import SCENES
from tests.durability.sweep import calls_of, chosen, play, tell

SHARE = {
    "save": 3,
    "push": 4,
    "upload": 8,
    "journal": 3,
    "sync": 9,
    "sync-server": 11,
    "start": 120,
    "restore": 80,
}
"""Of so many calls one is tried here."""


def sweep(ground: Ground, name: str, fault: str, *, seeds: int, sparsely: int = 1) -> None:
    """Nothing acknowledged was lost, whatever the call at which the fault came."""
    scene = SCENES[name](ground)
    numbers = chosen(calls_of(scene), every=10)
    tried = numbers[:: -SHARE[name] * sparsely]
    findings = [finding for number in tried for finding in play(scene, fault, number, range(seeds))]
    scene.close()
    assert findings == [], tell(findings)


@pytest.mark.parametrize("name", SCENES)
def test_p3_m1_m4_a_loss_of_power_at_any_call_takes_nothing_back(ground: Ground, name: str) -> None:
    sweep(ground, name, "power", seeds=3)


@pytest.mark.parametrize("name", SCENES)
def test_p3_what_a_killed_process_left_is_on_the_disk_before_anybody_relies_on_it(
    ground: Ground, name: str
) -> None:
    sweep(ground, name, "kill", seeds=2)


@pytest.mark.parametrize("name", SCENES)
def test_p6_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(
    ground: Ground, name: str
) -> None:
    sweep(ground, name, "full lasting", seeds=1, sparsely=2)


@pytest.mark.parametrize("name", SCENES)
def test_p6_an_error_of_the_disk_is_told_and_loses_nothing_then_or_later(
    ground: Ground, name: str
) -> None:
    sweep(ground, name, "broken once", seeds=2, sparsely=2)
