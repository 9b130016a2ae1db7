"""What people in the field do on a device: save, edit, attach, sync a bit, restore what lost."""

import io
import json
import random
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image

from fieldstamp import Client, Record, _outbox
from tests.simulation.handset import Handset
from tests.simulation.seen import hold

if TYPE_CHECKING:
    from tests.simulation.world import World

MARK = "§"
"""Stands in every text that a person types, so that one in a log is found (I17)."""
EDITED = {
    "customer": ("name", "address", "phone", "channel", "business_profile"),
    "visit": ("topics", "needs", "problems", "reason"),
    "stall": ("title", "goods", "price", "rank", "serial"),
    "visit_report": ("summary", "evaluation"),
    "receipt": ("seller", "note"),
}
"""Kind → fields that are edited here."""
NEEDED = {"name", "title", "summary"}
GOODS = ("tea", "milk", "rice", "salt", "oil")
HOT = 3
"""Records that most edits aim at, so that people meet."""

Op = Callable[["World", Handset, random.Random], None]


def word(chance: random.Random) -> str:
    """A text that somebody types."""
    return f"{MARK}{chance.getrandbits(32):08x}"


def value_for(name: str, chance: random.Random) -> object:
    """A value for the field ``name``; few words, so that equal edits occur."""
    if name == "goods":
        return chance.sample(GOODS, chance.randint(1, 3))
    return f"{MARK}{name} {chance.randrange(40)}"


def pick(records: list[Record], chance: random.Random) -> Record | None:
    """One of ``records``, most often a new one."""
    live = [one for one in records if one.held]
    if not live:
        return None
    return chance.choice(live[-HOT:] if chance.random() < 0.7 else live)


def pick_any(client: Client, chance: random.Random) -> Record | None:
    """A record that can be edited, of any kind."""
    kinds = list(EDITED)
    chance.shuffle(kinds)
    found = (pick(client.records(kind), chance) for kind in kinds)
    return next((one for one in found if one is not None), None)


def change_of(kind: str, chance: random.Random) -> tuple[dict[str, object], list[str]]:
    """Values to set and fields to unset."""
    names = chance.sample(EDITED[kind], chance.randint(1, 2))
    gone = [one for one in names if one not in NEEDED and chance.random() < 0.15]
    return {one: value_for(one, chance) for one in names if one not in gone}, gone


def customer(world: "World", device: Handset, chance: random.Random) -> None:
    """A new customer."""
    device.open().create("customer", {"name": word(chance), "customer_type": "store"})


def misplaced(world: "World", device: Handset, chance: random.Random) -> None:
    """A customer in a region where nobody may place it (K1), and a visit to it."""
    region = chance.choice(sorted(world.regions.values()))
    fields = {"name": word(chance), "customer_type": "store", "region": region}
    made = device.open().create("customer", fields)
    if chance.random() < 0.5:
        device.open().create("visit", {"customer": made.id, "purpose": "routine"})


def _below(kind: str, parent: str, fields: Callable[[random.Random], dict[str, object]]) -> Op:
    def create(world: "World", device: Handset, chance: random.Random) -> None:
        client = device.open()
        above = pick(client.records(parent), chance)
        if above is not None:
            client.create(kind, fields(chance), parent=above)

    return create


visit = _below("visit", "customer", lambda chance: {"purpose": "routine", "topics": word(chance)})
stall = _below(
    "stall", "customer", lambda chance: {"title": word(chance), "goods": chance.sample(GOODS, 2)}
)
report = _below("visit_report", "visit", lambda chance: {"summary": word(chance)})


def receipt(world: "World", device: Handset, chance: random.Random) -> None:
    """An expense document."""
    fields = {"kind": "meal", "amount": "12.50", "currency": "CNY", "date": "2026-03-02"}
    device.open().create("receipt", fields | {"seller": word(chance)})


def edit(world: "World", device: Handset, chance: random.Random) -> None:
    """A quick edit of a record."""
    found = pick_any(device.open(), chance)
    if found is not None:
        values, gone = change_of(found.kind, chance)
        device.open().patch(found.id, values, unset=gone)


def rush(world: "World", device: Handset, chance: random.Random) -> None:
    """Several devices edit the same field of the same record."""
    found = pick_any(device.open(), chance)
    if found is None:
        return
    name = chance.choice(EDITED[found.kind])
    for other in world.devices:
        known = {one.id for one in other.open().records(found.kind) if one.held}
        if found.id in known and (other is device or chance.random() < 0.8):
            other.open().patch(found.id, {name: value_for(name, chance)})


def overtake(world: "World", device: Handset, chance: random.Random) -> None:
    """P2: of two edits of one field the second reaches the server first, and no answer comes."""
    client = device.open()
    found = pick_any(client, chance)
    if found is None:
        return
    name = chance.choice(EDITED[found.kind])
    for _ in range(2):
        client.patch(found.id, {name: value_for(name, chance)})
    with client._store.read() as reading:
        raw = _outbox.envelope(reading, _outbox.ready(reading)[-1:], sent_at="")
    client._session.call("POST", "/v1/sync/push", raw)


def draft(world: "World", device: Handset, chance: random.Random) -> None:
    """Begins an edit that takes a while, or ends the one that was begun."""
    if device.draft is None:
        found = pick_any(device.open(), chance)
        device.draft = (found, device.open().edit(found.id)) if found else None
        return
    (seen, begun), device.draft = device.draft, None
    with begun as edited:
        values, gone = change_of(seen.kind, chance)
        for name, value in values.items():
            edited[name] = value
        for name in gone:
            edited.unset(name)
    sealed = json.loads(device.open().mutations(seen.id)[-1].body)
    hold("P6", sealed["base"] == seen.version, f"saw {seen.version}, sealed {sealed['base']}")


def group(world: "World", device: Handset, chance: random.Random) -> None:
    """A customer with a visit, taken together; sometimes refused together."""
    bad = {"region": chance.choice(sorted(world.regions.values()))}
    fields = {"name": word(chance), "customer_type": "store"}
    with device.open().group() as together:
        made = together.create("customer", fields | (bad if chance.random() < 0.4 else {}))
        together.create("visit", {"customer": made, "purpose": "sale", "needs": word(chance)})
        other = pick(device.open().records("customer"), chance)
        if other is not None and other.version and chance.random() < 0.5:
            together.patch(other.id, {"phone": value_for("phone", chance)})


def withdraw(world: "World", device: Handset, chance: random.Random) -> None:
    """Takes a record back."""
    found = pick_any(device.open(), chance)
    if found is not None:
        device.open().withdraw(found.id)


@cache
def picture(number: int) -> bytes:
    """A tiny photo; every number has its own bytes."""
    out = io.BytesIO()
    colour = (number % 256, number // 256 % 256, number // 65536 % 256)
    Image.new("RGB", (8, 8), colour).save(out, "JPEG")
    return out.getvalue()


def photo(world: "World", device: Handset, chance: random.Random) -> None:
    """A photo under a visit, a customer or a receipt."""
    _attach(device, chance, picture(chance.getrandbits(16)))


def twin_photo(world: "World", device: Handset, chance: random.Random) -> None:
    """A photo with the same bytes as others."""
    _attach(device, chance, picture(chance.randrange(3)))


def _attach(device: Handset, chance: random.Random, content: bytes) -> None:
    kind = chance.choice(("customer", "visit", "receipt"))
    above = pick(device.open().records(kind), chance)
    if above is not None:
        source = chance.choice(("app_camera", "gallery"))
        made = device.open().attach(above, content, tag="display", source=source)
        device.bytes_saved[made.id] = made["sha256"]


def signature(world: "World", device: Handset, chance: random.Random) -> None:
    """A signature under a visit."""
    above = pick(device.open().records("visit"), chance)
    if above is not None:
        strokes = [[[chance.randrange(99), chance.randrange(99)] for _ in range(3)]]
        made = device.open().sign(above, part="customer", signer=word(chance), strokes=strokes)
        device.bytes_saved[made.id] = made["sha256"]


def restore_kept(world: "World", device: Handset, chance: random.Random) -> None:
    """Brings back what lost or was refused."""
    client = device.open()
    kept = [one.id for one in (*client.conflicts(), *client.parked())]
    kept += [one.id for one in client.status().needs_you if one.code != "login_needed" and one.id]
    if kept:
        client.restore(chance.choice(kept))


def resolve(world: "World", device: Handset, chance: random.Random) -> None:
    """Lets stand what stands, or says something third."""
    found = pick(device.open().conflicts(), chance)
    if found is not None:
        name = found["fields"][0]
        known = EDITED.get(found["record_kind"], ())
        values = {name: value_for(name, chance)} if name in known else {}
        device.open().resolve(found.id, values if chance.random() < 0.5 else {})


def sync(world: "World", device: Handset, chance: random.Random) -> None:
    """A whole sync."""
    device.run = None
    report = device.open().sync().run()
    world.heard_report(device, report)


def begin_sync(world: "World", device: Handset, chance: random.Random) -> None:
    """A sync begins; others may come between its steps."""
    device.run = device.open().sync()
    go_on(world, device, chance)


def go_on(world: "World", device: Handset, chance: random.Random) -> None:
    """The next few steps of a sync that has begun."""
    if device.run is None:
        return
    steps = iter(device.run)
    for _ in range(chance.randint(1, 3)):
        if next(steps, None) is None:
            run, device.run = device.run, None
            world.heard_report(device, run.report)
            return


def leave_sync(world: "World", device: Handset, chance: random.Random) -> None:
    """The person leaves a sync that is under way."""
    device.leave_sync()


def free(world: "World", device: Handset, chance: random.Random) -> None:
    """Gives back the space of old originals."""
    device.open().free_originals()


def watch(world: "World", device: Handset, chance: random.Random) -> None:
    """The timer beside the syncs looks whether something is stuck."""
    device.run = None
    device.open().watch()


def reopen(world: "World", device: Handset, chance: random.Random) -> None:
    """The program is closed and opened again; perhaps the phone is switched off and on."""
    device.close()
    if chance.random() < 0.5:
        device.clock.restart()
    device.open()


def logout(world: "World", device: Handset, chance: random.Random) -> None:
    """The person logs out, and in again."""
    device.run = None
    try:
        device.open().logout()
    finally:
        world.log_in(device)
