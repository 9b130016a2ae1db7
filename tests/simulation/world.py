"""One run of one seed: a company, its devices, its server, and all that happens to them."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

from sqlalchemy.exc import DBAPIError

from fieldstamp import FieldstampError, Request, Response, SyncReport
from server.db import Fault
from server.errors import Problem
from server.journal.lines import JournalFault
from server.people.principal import Role
from server.services import Services
from server.upkeep.manifest import BackupFault
from tests.phones import issue_code
from tests.simulation import desk, disputes, fieldwork, weather
from tests.simulation.checks import Checks, Handed
from tests.simulation.disk import Crash, Disk, Verdict
from tests.simulation.handset import Chance, Handset
from tests.simulation.net import Net, Unanswered
from tests.simulation.plan import Action, Plan
from tests.simulation.power import Power
from tests.simulation.receiver import Receiver
from tests.simulation.seen import Seen
from tests.simulation.site import KEYS, Site
from tests.simulation.weather import SERVER

Op = Callable[["World", Handset, random.Random], None]
OPS: dict[str, Op] = {
    name: act
    for module in (fieldwork, desk, weather, disputes)
    for name, act in vars(module).items()
    if act.__class__ is FunctionType and act.__module__ == module.__name__
    if not name.startswith("_") and getattr(act, "__annotations__", {}).get("world")
}
TICK_S = (1, 40)
MARKETS = ("shanghai", "hangzhou")
TOLD = (FieldstampError, Unanswered, Problem)
"""What a person may be told; nothing else may come out of client and office."""
OF_DISKS = (OSError, DBAPIError, Fault)
"""What may come out where a disk fails."""


@dataclass
class Link:
    """The way of one device to the server."""

    world: "World"
    index: int

    def send(self, request: Request) -> Response:
        """The answer, if fate lets it through."""
        return self.world.net.carry(self.index, request)


@dataclass
class World:
    """Everything of one run, in one folder."""

    plan: Plan
    folder: Path
    template: Path
    disk: Disk
    seen: Seen = field(default_factory=Seen)
    devices: list[Handset] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    managers: list[str] = field(default_factory=list)
    officers: list[str] = field(default_factory=list)
    """Those who lead market cases, beside the managers."""
    regions: dict[str, str] = field(default_factory=dict)
    actions: int = 0
    backups: list[weather.Backup] = field(default_factory=list)
    snapshot: weather.Backup | None = None
    kept: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lays out the server's folder and founds the company."""
        data = self.folder / "server"
        data.mkdir(parents=True)
        for name in ("fieldstamp.sqlite", *KEYS):
            shutil.copy(self.template / name, data / name)
        self.chance = random.Random(0)
        self.receiver = Receiver(self.seen, lambda: self.chance)
        entropy = random.Random(f"server {self.plan.seed}")
        self.site = Site(data, entropy, self.seen, self.receiver)
        self.net = Net(self.seen, self._deliver, self._meanwhile, self.chance)
        self.power = Power(self.seen)
        self.power.add(SERVER, self.disk.server(data))
        self.site.boot()
        self.checks = Checks(self)
        self._found()

    @property
    def services(self) -> Services:
        """The server's services."""
        return self.site.services

    @property
    def markets(self) -> list[str]:
        """The regions between which customers move."""
        return [self.regions[name] for name in MARKETS]

    def _found(self) -> None:
        if self.plan.swarm.is_heard:
            self.site.add_hook()
        with self.site.at_work():
            company = self.site.company(self.regions)
            company.plant_regions()
            for number in range(self.plan.swarm.reps):
                self.people.append(company.user(Role.REP, MARKETS[number % 2]))
            for number in range(self.plan.swarm.managers):
                place = ("east", "shanghai")[number]
                self.managers.append(company.user(Role.REGION_MANAGER, place))
            if self.plan.swarm.has_cases:
                self.officers += [company.user(role, None) for role in disputes.OFFICERS]
        self.people += self.managers
        for number in range(self.plan.swarm.devices):
            device = self.add_device(self.people[number % len(self.people)], number)
            self.log_in(device)
        self.net.fates = dict(self.plan.swarm.fates)

    def add_device(self, user: str, number: int) -> Handset:
        """A device of ``user``, not enrolled yet."""
        index = len(self.devices)
        device = Handset(
            index=index,
            user=user,
            folder=self.folder / f"device{index}" / "phone",
            transport=Link(self, index),
            entropy=Chance(f"{self.plan.seed} {index} {number}"),
        )
        self.devices.append(device)
        device.folder.mkdir(parents=True)
        self.watch(device)
        return device

    def watch(self, device: Handset) -> None:
        """The folder of a device, as it is now, is on a disk that may fail."""
        self.power.add(device.name, self.disk.device(device.folder))

    def log_in(self, device: Handset) -> None:
        """Enrols a device, or logs its person in again, by a fresh code."""
        with self.site.at_work():
            if self.is_revoked(device.id):
                return
            code = issue_code(self.site.company(self.regions), device.user)
        device.open().enrol(code, name=f"phone {device.index}")

    def is_revoked(self, device: str | None) -> bool:
        """Whether the server has revoked the device of that id."""
        revoked = "SELECT 1 FROM device WHERE id = ? AND revoked_at IS NOT NULL"
        return bool(self.site.rows(revoked, device))

    def perform(self, action: Action) -> None:
        """One action; whatever a person is told is part of it, what nobody expects ends the run."""
        chance = random.Random(f"{self.plan.seed} {action.salt}")
        self.chance = self.net.chance = chance
        device = self.devices[action.who % len(self.devices)]
        self.seen.step(f"{action.op} {device.index}")
        self.seen.note("op", action.op)
        self.actions += 1
        self.pass_time(chance.uniform(*TICK_S))
        self._try(OPS[action.op], device)
        self.checks.after_action(device)

    def _try(self, op: Op, device: Handset) -> None:
        """Whatever a person is told is part of it; what nobody expects ends the run."""
        try:
            op(self, device, self.chance)
        except TOLD as error:
            told = getattr(error, "code", type(error).__name__)
            self.seen.note("told", told)
            self.seen.tell(f"told {told}")
        except Crash:
            self.seen.tell("crashed")
        except OF_DISKS:
            if not self.power.has_failed:
                raise
            self.seen.tell("told disk")
        self.recover()

    def recover(self) -> None:
        """Machines that died are started again."""
        if self.power.is_down(SERVER):
            self.restart_server()
        for device in self.devices:
            if self.power.is_down(device.name):
                self.restart_device(device)

    def pass_time(self, seconds: float) -> None:
        """Time passes everywhere, on each clock at its own pace."""
        self.site.clock.advance(seconds=round(seconds, 3))
        for device in self.devices:
            device.clock.pass_time(round(seconds * device.drift, 3))

    def heard_report(self, device: Handset, report: SyncReport) -> None:
        """A sync of a device came to its end."""
        self.seen.tell(f"report {device.index} {report.sent} {report.received} {report.reason}")
        device.told = report.reason
        self.checks.reported(device, report)
        if device.open().status().paused:
            self.log_in(device)

    def _deliver(self, device: int, request: Request, cut: int | None) -> Response:
        handed_in = self.checks.hears(request, cut)
        try:
            answer = self.site.answer(device, request, cut)
        except Crash:
            answer = None
        if answer is None or self.power.is_down(SERVER):
            self.restart_server(handed_in=handed_in)
            raise Unanswered
        self.seen.tell(f"answered {answer.status}")
        self.checks.answered(handed_in, answer)
        return answer

    def _meanwhile(self) -> None:
        """Somebody else does something while a message is on its way."""
        ops = ("worker", "office_edit", "hand_over", "decide", "later")
        self._try(OPS[self.chance.choice(ops)], self.devices[0])
        self.checks.after_office()

    def calm(self) -> None:
        """Disks and processes do nothing unusual from now on."""
        self.power.calm()
        self.recover()

    def restart_server(
        self, start: Callable[[], None] | None = None, *, handed_in: Handed | None = None
    ) -> None:
        """The process has ended, perhaps with its machine, and is started again until it runs.

        ``start`` does what the start consists of; it may be cut short and is then repeated.
        ``handed_in``: what was on its way in, and may have been stored.
        """
        self.seen.note("fault", "server_stopped" if start else "server_crash")
        while True:
            self.power.stop(SERVER)
            self.site.drop()
            self.power.restart(SERVER, self._dice())
            if self.chance.random() < 0.3:
                self.power.light(SERVER, Verdict.DIES, self.chance)
            try:
                (start or self.site.boot)()
            except (Crash, Problem, BackupFault, JournalFault, *OF_DISKS):
                if not self.power.is_down(SERVER):
                    raise
            if not self.power.is_down(SERVER):
                break
        self.power.fuses.pop(SERVER, None)
        if start is None:
            self.checks.after_crash(handed_in)

    def restart_device(self, device: Handset) -> None:
        """The process has died, perhaps with its machine, and is started again."""
        self.seen.note("fault", "device_crash")
        self.power.stop(device.name)
        device.drop()
        self.power.restart(device.name, self._dice())
        device.open()
        self.checks.after_device_crash(device)

    def _dice(self) -> random.Random | None:
        return random.Random(self.chance.getrandbits(48)) if self.chance.random() < 0.6 else None

    def close(self) -> None:
        """Lets go of everything."""
        for device in self.devices:
            device.drop()
        self.site.drop()
