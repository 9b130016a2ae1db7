"""Which disk calls fail, and when a machine dies: fuses that the seed sets."""

import random
from dataclasses import dataclass, field

from tests.simulation.disk import Call, Machine, Verdict
from tests.simulation.seen import Seen

NAMES = {Verdict.FULL: "full", Verdict.BROKEN: "broken", Verdict.DIES: "crash"}
LAST_FLUSH = {"device.rollback.sync"}
PATIENCE = 400
"""Calls after which a fuse that waits for a certain point gives up."""


@dataclass(slots=True)
class Fuse:
    """What goes wrong, at a call with the name ``point`` or, without one, after ``after`` calls."""

    verdict: Verdict
    after: int = 0
    point: str | None = None
    times: int = 1


@dataclass
class Power:
    """The machines of a run, by name."""

    seen: Seen
    machines: dict[str, Machine] = field(default_factory=dict)
    fuses: dict[str, Fuse] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    """Machines on which the flush that ends a commit failed, and nothing was committed since: the
    person was told that it is not saved, and the next loss of power decides."""
    is_watched: bool = False
    """The checks are looking; nothing goes wrong meanwhile."""
    known: set[str] = field(default_factory=set)
    """Points that were passed."""

    def add(self, name: str, machine: Machine) -> None:
        """Puts a machine under the seed's rule."""
        self.machines[name] = machine
        machine.judge = lambda call: self._judge(name, call)

    def is_down(self, name: str) -> bool:
        """Whether it has no power."""
        return self.machines[name].is_down

    def light(self, name: str, verdict: Verdict, chance: random.Random) -> None:
        """Sets a fuse: at one of the next calls, or at the next call of a certain sort."""
        sort = name.rstrip("0123456789")
        points = sorted(one for one in self.known if one.startswith(f"{sort}."))
        point = chance.choice(points) if points and chance.random() < 0.6 else None
        times = 1 if verdict is Verdict.DIES else chance.choice((1, 1, 3, 40))
        self.fuses[name] = Fuse(verdict, chance.randrange(40), point, times)

    def restart(self, name: str, dice: random.Random | None) -> None:
        """The machine comes back; with ``dice`` after a loss of power."""
        self.fuses.pop(name, None)
        self.machines[name].restart(dice)
        self.seen.note("fault", "power_lost" if dice else "process_killed")

    def stop(self, name: str) -> None:
        """The process dies now, wherever it is."""
        self.machines[name].stop()

    @property
    def has_failed(self) -> bool:
        """Whether some disk has failed in this run, or is dead now."""
        failed = any(self.seen.counts[f"failed/{name}"] for name in ("full", "broken"))
        return failed or any(one.is_down for one in self.machines.values())

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.fuses.clear()

    def _judge(self, name: str, call: Call) -> Verdict:
        self.known.add(call.point)
        fuse = self.fuses.get(name)
        if fuse is None or self.is_watched or not self._burns(fuse, call):
            if call.point in LAST_FLUSH:
                self.doubtful.discard(name)
            return Verdict.GO
        if call.point in LAST_FLUSH:
            self.doubtful.add(name)
        fuse.times -= 1
        if fuse.times <= 0:
            del self.fuses[name]
        self.seen.note(NAMES[fuse.verdict], call.point)
        self.seen.note("failed", NAMES[fuse.verdict])
        self.seen.tell(f"{NAMES[fuse.verdict]} {call.point}")
        return fuse.verdict

    @staticmethod
    def _burns(fuse: Fuse, call: Call) -> bool:
        if fuse.point is not None:
            fuse.after += 1
            if fuse.after > PATIENCE:
                fuse.point = None
            return fuse.point == call.point
        fuse.after -= 1
        return fuse.after < 0
