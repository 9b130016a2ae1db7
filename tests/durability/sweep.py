"""Plays a scene with a fault at one of its calls, and says what was acknowledged and got lost."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.durability.ground import Lost
from tests.durability.scenes import Scene
from tests.simulation.disk import Call, Crash, Machine, Verdict, let_go

Judge = Callable[[Call], Verdict]
FAULTS = ("power", "kill", "full once", "full lasting", "broken once", "broken lasting")
"""Loss of power; kill, and loss of power after the next process finished; a full disk and one that
reports errors, for one call or from it on, and loss of power after it was mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One run after which an acknowledgement was not true."""

    scene: str
    fault: str
    call: int
    seed: int
    said: str


def calls_of(scene: Scene) -> list[str]:
    """The points that the victim passes while nothing goes wrong, in order."""
    points: list[str] = []

    def note(call: Call) -> Verdict:
        points.append(call.point)
        return Verdict.GO

    scene.begin()
    scene.victim.judge = note
    scene.act()
    scene.check()
    scene.close()
    return points


def chosen(points: Sequence[str], every: int) -> list[int]:
    """Numbers of calls to try, with the one after the last; of writes in a row every n-th."""
    numbers = [
        number
        for number, point in enumerate(points, start=1)
        if not point.endswith(".write") or number % every == 0
    ]
    return [*numbers, len(points) + 1]


def from_call(number: int, verdict: Verdict) -> Judge:
    """The verdict for the call of that number and all behind it."""
    return lambda call: verdict if call.number >= number else Verdict.GO


def only_call(number: int, verdict: Verdict) -> Judge:
    """The verdict for that call alone."""
    return lambda call: verdict if call.number == number else Verdict.GO


def play(scene: Scene, fault: str, number: int, seeds: Sequence[int]) -> list[Finding]:
    """One of :data:`FAULTS` at the call of that number."""
    if fault == "power":
        return list(lose_power(scene, number, seeds))
    if fault == "kill":
        return list(kill(scene, number, seeds))
    verdict = Verdict.FULL if fault.startswith("full") else Verdict.BROKEN
    return list(fail(scene, number, verdict, seeds, lasts=fault.endswith("lasting")))


def without_sync(number: int, point: str) -> Judge:
    """The power goes at the call of that number; at ``point`` nothing is ever synced."""

    def judge(call: Call) -> Verdict:
        if call.number >= number:
            return Verdict.DIES
        return Verdict.LIES if call.point == point else Verdict.GO

    return judge


def lose_power(
    scene: Scene, number: int, seeds: Sequence[int], *, unsynced: str = ""
) -> Iterator[Finding]:
    """The power goes at a call; each seed lets something else survive.

    With ``unsynced``, as if the code had left out the sync at that point.
    """
    scene.begin()
    _act(scene, without_sync(number, unsynced))
    yield from _after_power_loss(scene, "power", number, seeds)


def kill(scene: Scene, number: int, seeds: Sequence[int]) -> Iterator[Finding]:
    """The process is killed at a call, the next one finishes the act, then the power goes."""
    scene.begin()
    _act(scene, from_call(number, Verdict.DIES))
    scene.close()
    scene.victim.judge = let_go
    scene.victim.restart(None)
    scene.open()
    yield from _checked(scene, "kill", number)
    yield from _finish(scene, "kill", number, seeds)


def fail(
    scene: Scene, number: int, verdict: Verdict, seeds: Sequence[int], *, lasts: bool
) -> Iterator[Finding]:
    """The disk fails once, or from a call on; then it is mended and the act goes on."""
    fault = f"{verdict.name.lower()} {'lasting' if lasts else 'once'}"
    scene.begin()
    error = _act(scene, (from_call if lasts else only_call)(number, verdict))
    if error is not None and not (isinstance(error, Exception) and scene.is_plain(error)):
        yield Finding(scene.name, fault, number, 0, f"not a plain error: {error!r}")
    scene.victim.judge = let_go
    yield from _checked(scene, fault, number)
    yield from _finish(scene, fault, number, seeds)


def _finish(scene: Scene, fault: str, number: int, seeds: Sequence[int]) -> Iterator[Finding]:
    error = _act(scene, let_go)
    if error is not None:
        yield Finding(scene.name, fault, number, 0, f"does not go on: {error!r}")
    yield from _checked(scene, fault, number)
    yield from _after_power_loss(scene, fault, number, seeds)


def _after_power_loss(
    scene: Scene, fault: str, number: int, seeds: Sequence[int]
) -> Iterator[Finding]:
    victim: Machine = scene.victim
    victim.stop()
    moment = victim.tree.copy()
    scene.close()
    victim.judge = let_go
    for seed in seeds:
        victim.restart_from(moment, Random(f"{scene.name} {fault} {number} {seed}"))
        yield from _checked(scene, fault, number, seed, opens=True)
        scene.close()


def _act(scene: Scene, judge: Judge) -> BaseException | None:
    scene.victim.judge = judge
    try:
        scene.act()
    except Lost:
        raise
    except (Exception, Crash) as error:
        return error
    return None


def _checked(
    scene: Scene, fault: str, number: int, seed: int = 0, *, opens: bool = False
) -> Iterator[Finding]:
    try:
        if opens:
            scene.open()
        scene.check()
    except Exception as error:  # whatever keeps the real code from starting is a finding, too
        yield Finding(scene.name, fault, number, seed, repr(error))


def tell(findings: Sequence[Finding]) -> str:
    """Findings in few lines, for a person."""
    counted = Counter((f.scene, f.fault, f.said) for f in findings)
    first = {(f.scene, f.fault, f.said): f for f in reversed(findings)}
    return "\n".join(
        f"{scene}, {fault}: {said} ({count} times, first at call"
        f" {first[scene, fault, said].call}, seed {first[scene, fault, said].seed})"
        for (scene, fault, said), count in counted.most_common(20)
    )
