"""What happens to machines: clocks jump, processes die, copies are put back, messages come late."""

import random
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.extensions import db
from server.upkeep.backup import create
from server.upkeep.restore import restored
from tests.simulation.disk import Verdict
from tests.simulation.fieldwork import MARK
from tests.simulation.handset import Handset
from tests.simulation.seen import hold

if TYPE_CHECKING:
    from tests.simulation.world import World

YEARS = timedelta(days=365 * 30)
MOST_DEVICES = 7
HELD = timedelta(days=10)
"""How old a backup may be that is put back: devices keep originals for 14 days."""
LONGEST_WAIT_S = 900
"""The longest that a device waits by itself; the server asks for less."""
SERVER = "server"


@dataclass(frozen=True)
class Backup:
    """A backup of the server, and what was known when it was made."""

    folder: Path
    at: datetime
    made: int
    """The action that made it; a clock may go back."""
    known: Any


def device_time(world: "World", device: Handset, chance: random.Random) -> None:
    """P9: the clock of a device jumps by up to thirty years, or begins to run fast or slow."""
    if chance.random() < 0.3:
        device.drift = chance.choice((0.5, 0.99, 1.01, 3.0))
        world.seen.note("fault", "device_clock_drifts")
        return
    jump = YEARS * chance.uniform(-1, 1) if chance.random() < 0.5 else timedelta(hours=9)
    device.clock.set_wall(device.clock.now() + jump)
    world.seen.note("fault", "device_clock_jumps")
    left = device.open().status().retry_in_s
    hold("P9", left <= LONGEST_WAIT_S, f"{device.name} waits {left} s")


def server_time(world: "World", device: Handset, chance: random.Random) -> None:
    """The clock of the server jumps, back or ahead."""
    span = timedelta(hours=chance.choice((-5, 1, 20, 24 * 3)))
    if world.plan.swarm.ages and chance.random() < 0.3:
        span = timedelta(days=chance.choice((16, 60, 450)))
        world.seen.note("fault", "server_clock_years")
    world.site.clock.moment += span
    world.seen.note("fault", "server_clock_back" if span < timedelta() else "server_clock_ahead")


def worker(world: "World", device: Handset, chance: random.Random) -> None:
    """A step of the worker."""
    world.site.work(chance.randrange(60))
    if world.plan.swarm.is_heard:
        world.site.tell()


def later(world: "World", device: Handset, chance: random.Random) -> None:
    """Time passes."""
    world.pass_time(chance.choice((30, 600, 3600)))


def deliver(world: "World", device: Handset, chance: random.Random) -> None:
    """A message that was under way for long arrives."""
    world.net.deliver_held()


def crash_server(world: "World", device: Handset, chance: random.Random) -> None:
    """The server dies at one of the next calls to its disk."""
    world.power.light(SERVER, Verdict.DIES, chance)


def crash_device(world: "World", device: Handset, chance: random.Random) -> None:
    """A device dies at one of the next calls to its disk."""
    world.power.light(device.name, Verdict.DIES, chance)


def full_server(world: "World", device: Handset, chance: random.Random) -> None:
    """The disk of the server is full for a while."""
    world.power.light(SERVER, Verdict.FULL, chance)


def full_device(world: "World", device: Handset, chance: random.Random) -> None:
    """The disk of a device is full for a while."""
    world.power.light(device.name, Verdict.FULL, chance)


def broken_server(world: "World", device: Handset, chance: random.Random) -> None:
    """The disk of the server reports errors."""
    world.power.light(SERVER, Verdict.BROKEN, chance)


def broken_device(world: "World", device: Handset, chance: random.Random) -> None:
    """The disk of a device reports errors."""
    world.power.light(device.name, Verdict.BROKEN, chance)


def clone(world: "World", device: Handset, chance: random.Random) -> None:
    """The store of a device is copied to another phone, and both go on."""
    if len(world.devices) >= MOST_DEVICES:
        return
    device.close()
    device.copied = True
    twin = world.add_device(device.user, chance.getrandbits(32))
    _replace(world, twin, device.folder)
    twin.copied, twin.rotten = True, device.rotten
    twin.saved, twin.bytes_saved = dict(device.saved), dict(device.bytes_saved)
    world.seen.note("fault", "device_cloned")


def device_back(world: "World", device: Handset, chance: random.Random) -> None:
    """A device is put back from an old copy of its folder, or such a copy is made."""
    copied = [one for one in world.devices if one.index in world.kept]
    if not copied:
        device.close()
        shutil.copytree(device.folder, device.folder.with_name("kept"))
        world.kept[device.index] = (dict(device.saved), dict(device.bytes_saved), device.rotten)
        return
    back = copied[0]
    back.close()
    kept = back.folder.with_name("kept")
    _replace(world, back, kept)
    shutil.rmtree(kept)
    back.copied = True
    back.saved, back.bytes_saved, back.rotten = world.kept.pop(back.index)
    world.seen.note("fault", "device_put_back")


def _replace(world: "World", device: Handset, source: Path) -> None:
    """Puts ``source`` in the place of a device's folder; by then it has reached the disk."""
    world.disk.forget(world.power.machines[device.name])
    shutil.rmtree(device.folder)
    shutil.copytree(source, device.folder)
    world.watch(device)


def backup(world: "World", device: Handset, chance: random.Random) -> None:
    """The server is backed up while it is at work."""
    folder = world.folder / f"backup{world.actions}"
    with world.site.at_work():
        create(db.engine, world.site.settings, world.site.clock, folder)
    known = world.checks.remember()
    world.backups.append(Backup(folder, world.site.clock.now(), world.actions, known))
    world.seen.note("fault", "server_backed_up")


def server_back(world: "World", device: Handset, chance: random.Random) -> None:
    """P6, P11: the server is put back from its last backup; devices still hold what it lost."""
    if not world.backups:
        return
    kept = world.backups[-1]
    if not _is_young(world, kept):
        return
    decided = _decided_in_the_office(world)
    world.restart_server(lambda: _restore(world, kept.folder))
    world.checks.put_back(kept.known)
    stands = _decided_in_the_office(world)
    lost = decided.keys() - stands.keys()
    hold("P3", not lost, f"no device has what the journal does not have: {sorted(lost)}")
    undone = [one for one in decided if (decided[one], stands[one]) == ("applied", "conflict")]
    hold("P1", not undone, f"nobody else had written, and yet they lost: {undone}")
    world.seen.note("fault", "server_put_back")


def _decided_in_the_office(world: "World") -> dict[str, str]:
    """Decision → what became of it."""
    with world.checks.looking():
        return dict(world.checks.rows("SELECT id, outcome FROM mutation WHERE writer = 'office'"))


def _is_young(world: "World", kept: Backup) -> bool:
    return timedelta() <= world.site.clock.now() - kept.at < HELD


def store_back(world: "World", device: Handset, chance: random.Random) -> None:
    """P1: the whole machine is put back to a snapshot, without a trace in its journal.

    Then a device comes that has seen what the store does not have any more. (Until one does,
    nobody can know; what is then said to be stored is not simulated.)
    """
    kept = world.snapshot
    epoch = world.checks.ledger.epoch
    if kept is None or kept.known.model.state.epochs[-1] != epoch or not _is_young(world, kept):
        _take_snapshot(world)
        return
    world.calm()  # so that the device is heard
    fates, world.net.fates = world.net.fates, {}
    try:
        device.open().create("customer", {"name": MARK, "customer_type": "store"})
        if _sync_quietly(world, device):
            _put_back_unseen(world, device, kept)
    finally:
        world.net.fates = fates


def _put_back_unseen(world: "World", device: Handset, kept: Backup) -> None:
    world.restart_server(lambda: _put_machine_back(world, kept.folder))
    world.backups = [one for one in world.backups if one.made <= kept.made]
    world.checks.put_back(kept.known)
    world.seen.note("fault", "store_put_back")
    before = world.checks.ledger.epoch
    for _ in range(3):
        _sync_quietly(world, device)
    # P3: its journal may end with a revocation that nobody was told of, and that counts now.
    is_heard = not world.is_revoked(device.id)
    hold("P1", not is_heard or world.checks.ledger.epoch != before, "nobody saw the older store")


def _sync_quietly(world: "World", device: Handset) -> bool:
    """Whether a sync came to its end."""
    device.leave_sync()
    report = device.open().sync().run()
    world.heard_report(device, report)
    return report.reason is None


def _take_snapshot(world: "World") -> None:
    folder = world.folder / "snapshot"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.site.folder, folder, ignore=shutil.ignore_patterns("*-shm"))
    known = world.checks.remember()
    world.snapshot = Backup(folder, world.site.clock.now(), world.actions, known)
    world.seen.note("fault", "server_snapshot")


def _put_machine_back(world: "World", folder: Path) -> None:
    world.disk.forget(world.power.machines[SERVER])
    shutil.rmtree(world.site.folder)
    shutil.copytree(folder, world.site.folder)
    world.power.add(SERVER, world.disk.server(world.site.folder))
    world.site.boot()


def _restore(world: "World", folder: Path) -> None:
    """As the command does; cut short, it is run again."""
    with restored(world.site.settings, world.site.clock, folder, replace=True):
        world.site.boot(restoring=True)


def replica_rot(world: "World", device: Handset, chance: random.Random) -> None:
    """A device's copy of a record, or its place in the feed, goes bad behind everybody's back."""
    with device.open()._store.write() as writing:
        if chance.random() < 0.4:
            writing.keep("cursor", "not one of the server's")
            return
        found = writing.rows("SELECT id FROM record ORDER BY id")
        if found:
            name = chance.choice(found)[0]
            writing.run("UPDATE record SET fed_hash = 'rotten', data = '{}' WHERE id = ?", name)
            writing.run("UPDATE record SET version = 0, fed_version = 0 WHERE id = ?", name)
            device.rotten = True
            world.seen.note("fault", "replica_rotted")
