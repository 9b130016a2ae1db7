"""After the faults: three sync rounds per device, and then everything must stand (L1, L2, L3)."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from server.people import rights
from server.upkeep.verify import verify
from tests.fleet import held
from tests.simulation.handset import Handset
from tests.simulation.seen import hold

if TYPE_CHECKING:
    from tests.simulation.world import World

ROUNDS = 3
REASONS = {"waiting", "aside", "stopped", "held"}
"""States in which something may stay, each with its reason for a person."""
WAITING_IS_OVER = timedelta(days=15)


def heal(world: "World") -> None:
    """The faults end; clocks stay as wrong as they are."""
    world.net.fates = {}
    world.net.cut_off.clear()
    world.calm()
    world.seen.tell("healed")
    while world.net.deliver_held():
        world.checks.after_office()
    for _ in range(ROUNDS):
        run_round(world)
    l1_every_outbox_is_empty_or_says_why(world, REASONS)
    l2_every_replica_holds_what_the_server_says(world)
    world.site.clock.moment += WAITING_IS_OVER
    world.site.work_all()
    for _ in range(ROUNDS):
        run_round(world)
    l1_every_outbox_is_empty_or_says_why(world, REASONS - {"waiting", "held"})
    l2_every_replica_holds_what_the_server_says(world)
    world.checks.everything()
    i18_the_server_agrees_with_itself(world)


def run_round(world: "World") -> None:
    """Every device syncs once, and the worker does what there is to do."""
    for device in world.devices:
        device.leave_sync()
        client = device.open()
        if client.status().paused:
            world.log_in(device)
        device.clock.pass_time(client.status().retry_in_s + 1)
        world.heard_report(device, client.sync().run())
        world.checks.after_office()
    world.site.work_all()
    world.pass_time(7 * 3600)


def l1_every_outbox_is_empty_or_says_why(world: "World", reasons: set[str]) -> None:
    """P8: what is left does not move for a reason that a person can read."""
    for device in world.devices:
        revoked = _is_revoked(world, device) and device.told
        for item in device.open().outbox():
            world.seen.note("left", item.state)
            fine = item.state in reasons and item.reason
            hold("L1", fine or revoked, f"{device.index}: {item} {device.told}")


def l2_every_replica_holds_what_the_server_says(world: "World") -> None:
    """P7, P5: each device holds the live records of its scopes as they stand, and nothing else."""
    for device in world.devices:
        if _is_revoked(world, device):
            was_told = device.told == "device_revoked"
            hold("L2", not (was_told and held(device.open())), f"{device.index} is revoked")
            continue
        mine = {name: one for name, one in held(device.open()).items() if one[2] is not None}
        hold("L2", mine == _due(world, device), f"{device.index}: {_differ(world, device, mine)}")


def _is_revoked(world: "World", device: Handset) -> bool:
    with world.site.at_work() as session:
        return world.is_revoked(session, device.id)


def _due(world: "World", device: Handset) -> dict[str, tuple[str, int, str | None]]:
    with world.site.at_work() as session:
        scopes = rights.load_principal(session, device.user, device=None).scopes
        rows = session.connection().exec_driver_sql(
            "SELECT id, kind, version, data, scopes FROM record WHERE state = 0 AND NOT aged"
        )
        return {
            row[0]: (row[1], row[2], json.dumps(json.loads(row[3]), sort_keys=True))
            for row in rows
            if scopes & set(json.loads(row[4]))
        }


def _differ(world: "World", device: Handset, mine: dict[str, tuple[str, int, str | None]]) -> str:
    due = _due(world, device)
    names = sorted(one for one in mine.keys() | due.keys() if mine.get(one) != due.get(one))
    return "; ".join(f"{one}: holds {mine.get(one)}, due {due.get(one)}" for one in names[:3])


def i18_the_server_agrees_with_itself(world: "World") -> None:
    """I6, I18, P7: records, history, feed, scope sums, outcomes and bytes agree."""
    with world.site.at_work() as session:
        own = world.services
        found = list(verify(session, own.sync, own.media, photos=True))
    hold("I18", not found, found[:3])
