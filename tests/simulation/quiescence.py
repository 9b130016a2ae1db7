"""After the faults: three sync rounds per device, and then everything must stand (L1 to L6)."""

import json
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from server.upkeep.verify import verify
from tests.fleet import held
from tests.simulation.case_checks import after_the_faults
from tests.simulation.handset import Handset
from tests.simulation.seen import hold

if TYPE_CHECKING:
    from tests.simulation.world import World

ROUNDS = 3
BETWEEN_ROUNDS_S = 3.5 * 3600
"""Within three rounds so long as a telling is put off at most, and not much longer."""
MOST_REQUESTS = 40
MOST_READS = 3
"""How often a sync may go through everything: a page at a time, that is."""
REASONS = {"waiting", "aside", "stopped", "held"}
"""States in which something may stay, each with its reason for a person."""
CASEWORK = ("visit", "visit_report", "receipt")
"""Kinds of which the outside hears."""
WAITING_IS_OVER = timedelta(days=15)
Held = dict[str, tuple[str, int, str | None]]
"""Record → kind, version, data."""


def heal(world: "World") -> None:
    """The faults end; clocks stay as wrong as they are."""
    world.net.fates = {}
    world.net.cut_off.clear()
    world.receiver.trouble = 0
    world.calm()
    world.seen.tell("healed")
    while world.net.deliver_held():
        world.checks.after_office()
    settle(world, REASONS)
    world.site.clock.moment += WAITING_IS_OVER
    let_the_worker_work(world)
    settle(world, REASONS - {"waiting", "held"})
    world.checks.everything()
    i18_the_server_agrees_with_itself(world)
    after_the_faults(world)
    p3_devices_believe_what_was_decided(world)
    l3_no_file_is_left_over(world)
    if world.plan.swarm.is_heard:
        l4_what_happened_was_heard(world)
    l5_devices_give_back_their_space(world)


def settle(world: "World", reasons: set[str]) -> None:
    """At most three rounds, and nothing is left but for one of ``reasons``, and all agree."""
    for number in range(1, ROUNDS + 1):
        run_round(world)
        stuck, differ = find_stuck(world, reasons), find_differences(world) + find_untold(world)
        if not stuck and not differ:
            world.seen.note("rounds", str(number))
            break
        let_hours_pass(world)
    hold("L1", not stuck, stuck)
    hold("L2", not differ, differ)


def run_round(world: "World") -> None:
    """Every device syncs once, and the worker does what there is to do."""
    for device in world.devices:
        device.leave_sync()
        client = device.open()
        if client.status().paused:
            world.log_in(device)
        device.clock.pass_time(client.status().retry_in_s + 1)
        l6_a_sync_comes_to_its_end(world, device)
        if device.told == "unauthenticated":  # a copy took its place; its person has logged in
            l6_a_sync_comes_to_its_end(world, device)
        world.checks.after_office()
    let_the_worker_work(world)


def let_hours_pass(world: "World") -> None:
    """What only time brings about, as a term that runs out, is news like an edit: it stands before
    the next round."""
    world.pass_time(BETWEEN_ROUNDS_S)
    let_the_worker_work(world)


def let_the_worker_work(world: "World") -> None:
    """Rounds of the worker, of which the model is told at once."""
    world.site.work_all()
    world.checks.after_office()


def l6_a_sync_comes_to_its_end(world: "World", device: Handset) -> None:
    """Without any fault a sync takes few requests, and never runs in a circle."""
    left, before = len(device.open().outbox()), world.net.sent
    world.heard_report(device, device.open().sync().run())
    took = world.net.sent - before
    ((rows,),) = world.site.rows("SELECT count(*) FROM feed")
    most = MOST_REQUESTS + 8 * left + MOST_READS * (rows // world.plan.swarm.portion)
    hold("L6", took <= most, f"{device.name}: {took} requests for {left} items")


def find_stuck(world: "World", reasons: set[str]) -> list[str]:
    """L1, P8: what is left and has no reason for it that a person can read."""
    found = []
    for device in world.devices:
        revoked = world.is_revoked(device.id) and device.told
        for item in device.open().outbox():
            world.seen.note("left", item.state)
            fine = item.state in reasons and item.reason
            if not fine and not revoked:
                found.append(f"{device.index}: {item} {device.told}")
    return found


def find_differences(world: "World") -> list[str]:
    """L2, P7, P5: where a device does not hold just the live records of its scopes as they stand.

    One that was told that it is revoked holds none.
    """
    found = []
    for device in world.devices:
        mine = held(device.open())
        if world.is_revoked(device.id):
            due = {} if device.told == "device_revoked" else mine
        else:
            due = _due(world, device)
            mine = {name: one for name, one in mine.items() if one[2] is not None}
        if mine != due:
            found.append(f"{device.index}: {_differ(mine, due)}")
    return found


def find_untold(world: "World") -> list[str]:
    """L2: photos of which more is known than their records say."""
    rows = world.site.rows(
        "SELECT record.id FROM arrival JOIN record ON record.id = arrival.photo"
        " WHERE arrival.due_at IS NOT NULL"
    )
    return [f"{name} is not told what arrived" for (name,) in rows]


def _due(world: "World", device: Handset) -> Held:
    scopes = world.site.person(device.user).scopes
    rows = world.site.rows(
        "SELECT id, kind, version, data, scopes FROM record WHERE state = 0 AND NOT aged"
    )
    return {
        row[0]: (row[1], row[2], _in_order(row[3]))
        for row in rows
        if scopes & set(json.loads(row[4]))
    }


@lru_cache(maxsize=4096)
def _in_order(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _differ(mine: Held, due: Held) -> str:
    names = sorted(one for one in mine.keys() | due.keys() if mine.get(one) != due.get(one))
    return "; ".join(f"{one}: holds {mine.get(one)}, due {due.get(one)}" for one in names[:3])


def i18_the_server_agrees_with_itself(world: "World") -> None:
    """I6, I18, P7: records, history, feed, scope sums, outcomes and bytes agree."""
    with world.site.at_work() as session:
        own = world.services
        found = list(verify(session, own.sync, own.media, photos=True))
    hold("I18", not found, found[:3])


def p3_devices_believe_what_was_decided(world: "World") -> None:
    """Outcomes on a device are the server's own, but where it was told that it is revoked."""
    decided = dict(world.site.rows("SELECT id, outcome FROM mutation"))
    for device in world.devices:
        if world.is_revoked(device.id):
            continue
        with device.open()._store.read() as reading:
            rows = reading.rows(
                "SELECT id, state FROM mutation WHERE settled_ms IS NOT NULL"
                " AND coalesce(problem, '') NOT LIKE '%reused%'"
            )
        wrong = [(name, said) for name, said in rows if decided.get(name) != said]
        hold("P3", not wrong, f"{device.name} believes {wrong}")


def l3_no_file_is_left_over(world: "World") -> None:
    """Of bytes there is what the tables name, and no part of an upload that is over.

    A blob, or a part of an upload, that never reached the tables or was lost with them stays: it
    may be taken back, and a person clears it.
    """
    blobs = {path.name for path in (world.site.folder / "blobs").rglob("*") if path.is_file()}
    known = {name for (name,) in world.site.rows("SELECT sha256 FROM blob")}
    hold("L3", known <= blobs, f"blobs: {sorted(known - blobs)}")
    parts = {path.stem for path in (world.site.folder / "uploads").glob("*.part")}
    over = {name for (name,) in world.site.rows("SELECT id FROM upload WHERE state <> 'open'")}
    hold("L3", not parts & over, f"parts: {sorted(parts & over)}")


def l4_what_happened_was_heard(world: "World") -> None:
    """What was queued for the receiver arrived, but for what was given up after its day of tries
    and comes when it is sent again."""
    open_ = world.site.rows("SELECT event FROM delivery WHERE settled_at IS NULL")
    early = world.site.rows(
        "SELECT event FROM delivery WHERE NOT arrived AND settled_at < expires_at"
    )
    hold("L4", not open_ and not early, f"open {open_}, given up early {early}")
    unheard = _unheard(world, "WHERE delivery.arrived")
    hold("L4", not unheard, f"said to have arrived: {unheard}")
    world.site.replay_events()
    world.site.work_all()
    unheard = _unheard(world, "WHERE event.seq IS NOT NULL")
    hold("L4", not unheard, f"did not come when all was sent again: {unheard}")
    _l4_the_last_state_was_heard(world)
    _l4_in_order(world)


def _unheard(world: "World", which: str) -> list[str]:
    rows = world.site.rows(
        f"SELECT event.id FROM event LEFT JOIN delivery ON delivery.event = event.key {which}"
    )
    return sorted({name for (name,) in rows} - world.receiver.heard.keys())


def _l4_the_last_state_was_heard(world: "World") -> None:
    """Of each record that waits for no bytes; what was heard before a restore may be newer, and
    what was given up is forgotten where years pass."""
    if world.plan.swarm.ages:
        return
    last: dict[str, tuple[int, str]] = {}
    for one in (told["data"] for told in world.receiver.heard.values()):
        if "state" in one:
            told = (one["version"], one["state"])
            last[one["record"]] = max(told, last.get(one["record"], told))
    held = {name for (name,) in world.site.rows("SELECT record FROM event WHERE seq IS NULL")}
    marks = ",".join("?" * len(CASEWORK))
    rows = world.site.rows(f"SELECT id, state, data FROM record WHERE kind IN ({marks})", *CASEWORK)
    faults = ("fault/server_put_back", "fault/store_put_back")
    is_first = not any(world.seen.counts[one] for one in faults)
    for name, gone, data in rows:
        stands = "withdrawn" if gone else json.loads(data)["state"]
        said = last.get(name, (0, None))[1]
        fine = said == stands if is_first else said is not None
        hold("L4", fine or name in held, f"{name} is {stands}, last heard of as {said}")


def _l4_in_order(world: "World") -> None:
    """Events of one record are numbered as they happened, each happening once."""
    rows = world.site.rows(
        "SELECT type, record, facts FROM event WHERE seq IS NOT NULL ORDER BY seq"
    )
    last: dict[str, int] = {}
    met: set[tuple[str, str, str]] = set()
    for type_, record, facts in rows:
        version = json.loads(facts).get("version", last.get(record, 0))
        hold("L4", version >= last.get(record, 0), f"{record}: {version} after {last.get(record)}")
        hold("L4", (type_, record, facts) not in met, f"twice: {type_} {record} {facts}")
        last[record] = version
        met.add((type_, record, facts))


def l5_devices_give_back_their_space(world: "World") -> None:
    """Originals that the server has had for long are gone from the device; all others are there,
    and nothing else is, whatever a crash left."""
    for device in world.devices:
        device.open().free_originals()
        with device.open()._store.read() as reading:
            rows = reading.rows("SELECT sha256, min(freed) FROM upload GROUP BY sha256")
            pictures = reading.rows("SELECT sha256 FROM preview WHERE sha256 IS NOT NULL")
        folder = device.path.with_name(f"{device.path.name}.blobs")
        there = {path.name for path in folder.rglob("*") if path.is_file()}
        due = {name for name, freed in rows if not freed}
        hold("L5", due <= there <= due | {name for (name,) in pictures}, f"{device.name}: {there}")
