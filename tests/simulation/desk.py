"""What the office does meanwhile: decides, hands over, edits, restores, gives and takes roles."""

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import transaction
from server.domain.review import actions, restoring
from server.errors import Problem
from server.people import devices, rights, users
from server.people.principal import Principal, Role
from server.people.tables import Device, RoleGrant, User
from server.sync.epochs import current_epoch
from server.sync.push import Envelope, push_batch
from tests.simulation.fieldwork import value_for, word
from tests.simulation.handset import Handset

if TYPE_CHECKING:
    from tests.simulation.world import World

REVIEWED = ("visit", "visit_report", "receipt")
VERDICTS = ("accepted", "returned", "returned", "rejected")
OFFICE_FIELDS = {"customer": ("credit_note",), "stall": ("price", "rank")}


class Stands(NamedTuple):
    """A record as the office sees it."""

    id: str
    kind: str
    version: int
    data: str


def _records(world: "World", *kinds: str) -> list[Stands]:
    """The records of these kinds, oldest first."""
    marks = ",".join("?" * len(kinds))
    wanted = f"SELECT id, kind, version, data FROM record WHERE kind IN ({marks}) ORDER BY key"
    return [Stands(*row) for row in world.site.rows(wanted, *kinds)]


def _one_of(found: list[Stands], newest: int, chance: random.Random) -> Stands:
    """Most often one of the newest, so that people meet; or one that devices got long ago."""
    return chance.choice(found[-newest:] if chance.random() < 0.7 else found)


def _reviewer(world: "World", session: Session, chance: random.Random) -> Principal:
    return rights.load_principal(session, chance.choice(world.managers), device=None)


def decide(world: "World", device: Handset, chance: random.Random) -> None:
    """A reviewer decides on what was on the screen, which may be old by now."""
    with world.site.at_work() as session:
        found = _records(world, *REVIEWED)
        if not found:
            return
        seen = chance.choice(found[-4:])
        base = max(seen.version - chance.choice((0, 0, 0, 1)), 1)
        verdict = chance.choice(VERDICTS)
        decision = actions.Decision(record=seen.id, base=base, verdict=verdict, reason=word(chance))
        before = seen.version
        reviewer = _reviewer(world, session, chance)
        with suppress(Problem):
            version = actions.decide(world.services.sync, session, reviewer, decision)
            world.checks.decided(seen.id, base=base, before=before, version=version)
            world.seen.note("office", verdict)


def undo(world: "World", device: Handset, chance: random.Random) -> None:
    """A reviewer takes a decision back, most often at once."""
    if chance.random() < 0.7:
        decide(world, device, chance)
        world.checks.after_office()
    with world.site.at_work() as session:
        found = [one for one in _records(world, *REVIEWED) if "decided_by" in one.data]
        if not found:
            return
        record = chance.choice(found[-3:]).id
        rules = world.services.policy.review
        for reviewer in world.managers:
            with suppress(Problem):
                person = rights.load_principal(session, reviewer, device=None)
                actions.undo(world.services.sync, session, person, record, rules=rules)
                world.seen.note("office", "undo")


def _push(
    world: "World", session: Session, sender: Principal, record: Stands, values: Any, base: int
) -> None:
    mutation = {
        "id": world.services.ids.new(),
        "action": "patch",
        "kind": record.kind,
        "record": record.id,
        "base": base,
        "epoch": current_epoch(session),
        "set": values,
    }
    envelope = Envelope(sender=sender, writer="office")
    push_batch(world.services.sync, session, envelope, [mutation])


def hand_over(world: "World", device: Handset, chance: random.Random) -> None:
    """A customer is handed over to another rep, or to another region."""
    with world.site.at_work() as session:
        found = _records(world, "customer")
        if not found:
            return
        record = _one_of(found, 6, chance)
        values = {"owner": chance.choice(world.people)}
        if chance.random() < 0.6:
            values["region"] = chance.choice(world.markets)
        _push(world, session, _reviewer(world, session, chance), record, values, record.version)
        world.seen.note("office", "hand_over")


def office_edit(world: "World", device: Handset, chance: random.Random) -> None:
    """The office edits a field that it may write, on a version that it saw."""
    with world.site.at_work() as session:
        found = _records(world, *OFFICE_FIELDS)
        if not found:
            return
        record = _one_of(found, 5, chance)
        name = chance.choice(OFFICE_FIELDS[record.kind])
        base = max(record.version - chance.choice((0, 1, 2)), 1)
        values = {name: value_for(name, chance)}
        _push(world, session, _reviewer(world, session, chance), record, values, base)
        world.seen.note("office", "edit")


def _settle(world: "World", chance: random.Random, kinds: tuple[str, ...], act: Any) -> None:
    with world.site.at_work() as session:
        found = [one for one in _records(world, *kinds) if '"state":"open"' in one.data]
        if not found:
            return
        kept = chance.choice(found).id
        with suppress(Problem):
            act(world.services.sync, session, _reviewer(world, session, chance), kept)
            world.seen.note("office", act.__name__)


def office_restore(world: "World", device: Handset, chance: random.Random) -> None:
    """The office brings back what lost or was refused."""
    _settle(world, chance, ("conflict", "parked"), restoring.restore)


def dismiss(world: "World", device: Handset, chance: random.Random) -> None:
    """The office says that what was refused stays refused."""
    _settle(world, chance, ("parked",), restoring.dismiss)


def role(world: "World", device: Handset, chance: random.Random) -> None:
    """Somebody becomes manager of a region, often of one with records of theirs, or is it no
    longer."""
    with world.site.at_work() as session:
        user = chance.choice(world.people)
        places = world.markets if chance.random() < 0.5 else sorted(world.regions.values())
        region = chance.choice(places)
        held = RoleGrant.role == Role.REGION_MANAGER.value
        given = session.scalars(select(RoleGrant).where(RoleGrant.user == user, held)).all()
        taken = chance.choice(given).region if given and chance.random() < 0.6 else None
        now = world.site.clock.now()
        with transaction(session):
            person = session.get_one(User, user)
            if taken is not None:
                users.withdraw_role(session, person, Role.REGION_MANAGER, region=taken, now=now)
            else:
                users.grant_role(session, person, Role.REGION_MANAGER, region=region, now=now)
        world.seen.note("office", "role_taken" if taken else "role_given")


def revoke(world: "World", device: Handset, chance: random.Random) -> None:
    """A device is revoked; what it has saved it may still hand in. Some always remain."""
    with world.site.at_work() as session:
        taken = [one for one in devices.list_devices(session) if one.revoked_at is not None]
        own = device.id
        if len(taken) > 1 or own is None or session.get(Device, own) is None:
            return
        with transaction(session):
            now = world.site.clock.now()
            devices.revoke(session, session.get_one(Device, own), erase="scopes", now=now)
    world.seen.note("office", "revoke")
