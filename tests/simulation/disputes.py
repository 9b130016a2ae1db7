"""What becomes of goods that were found where they do not belong: reps and offices lead cases."""

import json
import random
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from server.casework.clocks import tick
from server.casework.machine import Machine, Move
from server.db import transaction
from server.domain.cases.actions import Override, follow_cases, override_point
from server.domain.cases.checks import POINTS, RESULTS
from server.domain.cases.machines import CROSS_REGION, IN_INTAKE, TRACE
from server.domain.cases.penalty_actions import Proposal, follow_penalties, propose_penalty
from server.domain.cases.penalty_machine import PENALTY
from server.domain.goods.tables import BatchRow, GoodsNews, ProductRow, ShipmentRow
from server.domain.review import actions
from server.domain.review.steps import PAUSES
from server.errors import Problem
from server.people import rights
from server.people.principal import Principal, Role
from server.sync.feed import number_feed
from server.sync.push import Envelope, push_batch
from tests.simulation.desk import Stands, _records
from tests.simulation.fieldwork import pick, picture, word
from tests.simulation.handset import Handset

if TYPE_CHECKING:
    from tests.simulation.world import World

OFFICERS = (
    Role.MARKET_OFFICER,
    Role.LOGISTICS_OFFICER,
    Role.MARKET_INSPECTOR,
    Role.SALES_DIRECTOR,
    Role.GENERAL_MANAGER,
)
CASE, BATCHES = "cross_region_case", ("B-1", "b1", "B-2", "Z 9")
PARTS = ("affected_dealer", "region_manager", "sales_manager", "accused_dealer", "witness")
TAGS = ("goods", "batch", "vehicle", "display")
SHIPPED = {"market": "广州", "customer": "C-7", "quantity": 40, "unit": "piece"}
OVER = {"withdrawn", "upheld", "dismissed", "inconclusive", "not_accepted"}


def find_goods(world: "World", device: Handset, chance: random.Random) -> None:
    """A case of goods of some batches, in one market or the other."""
    device.open().create(
        CASE,
        {
            "affected_market": chance.choice(world.markets),
            "found_at": "2026-03-02T09:00:00+08:00",
            "lines": _lines(chance),
            "accused": word(chance),
        },
    )


def _lines(chance: random.Random) -> list[dict[str, Any]]:
    batches = chance.sample(BATCHES, chance.randint(1, 2))
    line = {"product": "茶", "unit": "piece"}
    return [{**line, "batch": one, "quantity": chance.randint(1, 50)} for one in batches]


def sign_case(world: "World", device: Handset, chance: random.Random) -> None:
    """Signatures under a case, often all that it needs."""
    above = pick(device.open().records(CASE), chance)
    if above is None:
        return
    parts = PARTS[:2] if chance.random() < 0.6 else (chance.choice(PARTS),)
    for part in parts:
        strokes = [[[chance.randrange(99), chance.randrange(99)] for _ in range(3)]]
        made = device.open().sign(above, part=part, signer=word(chance), strokes=strokes)
        device.bytes_saved[made.id] = made["sha256"]


def case_photo(world: "World", device: Handset, chance: random.Random) -> None:
    """A photo under a case, or under what its accused handed in."""
    kind = chance.choice((CASE, "rebuttal", "rebuttal"))
    above = pick(device.open().records(kind), chance)
    if above is not None:
        content, tag = picture(chance.getrandbits(16)), chance.choice(TAGS)
        made = device.open().attach(above, content, tag=tag, source="app_camera")
        device.bytes_saved[made.id] = made["sha256"]


def mend_case(world: "World", device: Handset, chance: random.Random) -> None:
    """A rep changes what a case says, whatever has become of it."""
    found = pick(device.open().records(CASE), chance)
    if found is not None:
        name = chance.choice(("accused", "place", "reason", "source_market", "lines"))
        value = {"lines": _lines(chance), "source_market": chance.choice(("广州", "杭州", "火星"))}
        device.open().patch(found.id, {name: value.get(name) or word(chance)})


def take_back(world: "World", device: Handset, chance: random.Random) -> None:
    """X9: a rep takes a case back, and says why."""
    found = pick(device.open().records(CASE), chance)
    if found is not None:
        device.open().patch(found.id, {"withdrawal_reason": word(chance)})


def supplement(world: "World", device: Handset, chance: random.Random) -> None:
    """X9: something is added to a case."""
    above = pick(device.open().records(CASE), chance)
    if above is not None:
        device.open().create("case_supplement", {"text": word(chance)}, parent=above)


def lead_case(world: "World", device: Handset, chance: random.Random) -> None:
    """Somebody takes a move that leads out of the state of a case, as far as they may."""
    _step(world, chance, CASE, CROSS_REGION)


def answer_trace(world: "World", device: Handset, chance: random.Random) -> None:
    """X5: logistics answers where a batch went, or asks again."""
    _step(world, chance, "batch_trace", TRACE)


def _step(world: "World", chance: random.Random, kind: str, machine: Machine) -> None:
    with world.site.at_work() as session:
        found = _records(world, kind)
        busy = [one for one in found if _moves(machine, one)]
        if not busy:
            return
        seen = chance.choice(busy[-6:])
        name, move = chance.choice(_moves(machine, seen))
        base = max(seen.version - chance.choice((0, 0, 0, 0, 1)), 1)
        values = {one: SHIPPED.get(one, [SHIPPED]) for one in move.needs}
        decision = actions.Decision(
            record=seen.id, base=base, verdict=name, reason=word(chance), values=values
        )
        person = _who(world, session, chance, move, seen)
        with suppress(Problem):
            version = actions.decide(world.services.sync, session, person, decision)
            reached = _reach(machine, move)
            world.checks.cases.note(seen.id, base=base, version=version, leads_to=reached)
            world.seen.note("case", name)


def _moves(machine: Machine, seen: Stands) -> list[tuple[str, Move]]:
    state = machine.states[str(_data(seen)["state"])]
    return [(name, move) for name, move in state.moves.items() if move.field == "verdict"]


def _reach(machine: Machine, move: Move) -> set[str]:
    """Where a move leads, and where a case goes from there by itself."""
    reached, fresh = set[str](), {move.to}
    while fresh:
        reached |= fresh
        fresh = {to for one in fresh for _when, to in machine.states[one].passes} - reached
    return reached


def _data(seen: Stands) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(seen.data)
    return told


def _who(
    world: "World", session: Session, chance: random.Random, move: Move, seen: Stands
) -> Principal:
    """Somebody who may, most often."""
    people = [*world.officers, *world.managers]
    chance.shuffle(people)
    known = [rights.load_principal(session, one, device=None) for one in people]
    may = [one for one in known if one.roles & move.roles]
    return chance.choice(may) if may and chance.random() < 0.95 else known[0]


def undo_step(world: "World", device: Handset, chance: random.Random) -> None:
    """B2: somebody takes a step back, most often the one that was just taken."""
    kind = chance.choice(((CASE, CROSS_REGION), (CASE, CROSS_REGION), ("batch_trace", TRACE)))
    if chance.random() < 0.8:
        _step(world, chance, *kind)
        world.checks.after_office()
    with world.site.at_work() as session:
        found = [one for one in _records(world, kind[0]) if "decided_by" in one.data]
        if not found:
            return
        seen = chance.choice(found[-3:])
        by = rights.load_principal(session, _data(seen)["decided_by"], device=None)
        rules = world.services.policy.review
        with suppress(Problem):
            world.checks.cases.undo(seen.id)
            actions.undo(world.services.sync, session, by, seen.id, rules=rules)
            world.seen.note("case", "undo")


def override(world: "World", device: Handset, chance: random.Random) -> None:
    """X4: a person says otherwise of a point of the check."""
    with world.site.at_work() as session:
        found = [one for one in _records(world, CASE) if _data(one)["state"] in IN_INTAKE]
        if not found:
            return
        seen = chance.choice(found)
        person = rights.load_principal(session, world.officers[0], device=None)
        said = Override(
            case=seen.id,
            base=seen.version,
            point=chance.choice(list(POINTS)),
            result=chance.choice(list(RESULTS)),
            reason=word(chance),
        )
        with suppress(Problem):
            override_point(session, world.services.sync, person, said)
            world.seen.note("case", "override")


def punish(world: "World", device: Handset, chance: random.Random) -> None:
    """X14: a penalty is proposed for a case that was upheld, approved, or lifted."""
    if chance.random() < 0.5:
        _step(world, chance, "penalty", PENALTY)
        return
    with world.site.at_work() as session:
        found = [one for one in _records(world, CASE) if _data(one)["state"] == "upheld"]
        if not found:
            return
        seen = chance.choice(found)
        said = Proposal(
            id=world.services.ids.new(),
            case=seen.id,
            rests_on=_data(seen)["decided_at"],
            sort="warning",
            party=word(chance),
            reason=word(chance),
        )
        person = rights.load_principal(session, world.officers[0], device=None)
        with suppress(Problem):
            propose_penalty(session, world.services.sync, person, said)
            world.seen.note("case", "punished")


def handle_case(world: "World", device: Handset, chance: random.Random) -> None:
    """X8: a case is given to somebody, or its clock stands still for a while."""
    with world.site.at_work() as session:
        found = _records(world, CASE, "batch_trace")
        if not found:
            return
        seen = chance.choice(found[-5:])
        people = [*world.officers, *world.managers]
        person = rights.load_principal(session, chance.choice(people), device=None)
        pause = chance.choice((*PAUSES, None, None, None, None))
        values = {"pause": pause} if chance.random() < 0.7 else {"assigned_to": person.user}
        with suppress(Problem):
            sync = world.services.sync
            actions.handle(sync, session, person, seen.id, base=seen.version, values=values)
            world.seen.note("case", "handled")


def rebut(world: "World", device: Handset, chance: random.Random) -> None:
    """X6: the accused hands something in."""
    with world.site.at_work() as session:
        found = [one for one in _records(world, CASE) if _data(one)["state"] not in OVER]
        if not found:
            return
        ids = world.services.ids
        values = {"case": chance.choice(found[-5:]).id, "photos": 2, "text": word(chance)}
        made = {"action": "create", "kind": "rebuttal", "record": ids.new(), "base": 0}
        guest = rights.load_principal(session, world.officers[0], device=None)
        envelope = Envelope(sender=guest, writer="guest")
        mutation = {"id": ids.new(), **made, "set": values}
        push_batch(world.services.sync, session, envelope, [mutation])
        world.seen.note("case", "rebuttal")


def follow(world: "World", device: Handset, chance: random.Random) -> None:
    """The worker looks at the clocks and at what bears on cases."""
    services = world.services
    with world.site.at_work() as session:
        number_feed(session)
        tick(session, services.clock.now())
        follow_cases(session, services.sync, services.policy)
        if chance.random() < 0.5:
            follow_penalties(session, services.sync)


def ship(world: "World", device: Handset, chance: random.Random) -> None:
    """The company says where more of a batch went."""
    with world.site.at_work() as session, transaction(session):
        if session.scalar(select(ProductRow.key)) is None:
            session.execute(insert(ProductRow), {"key": 1, "code": "T", "name_zh": "茶"})
            batch = {"key": 1, "product": 1, "sought": "B1", "number": "b-1"}
            session.execute(insert(BatchRow), batch)
        sent = {
            "batch": 1,
            "shipped_on": date(2026, 1, 5),
            "unit": "piece",
            "market": chance.choice(sorted(world.regions.values())),
            "note": f"n{chance.getrandbits(40)}",
            "customer": f"C-{chance.randrange(4)}",
            "quantity": chance.randint(1, 40),
        }
        session.execute(insert(ShipmentRow), sent)
        session.execute(insert(GoodsNews), {"name": "batch:B1"})
        world.seen.note("case", "shipped")


def grant_licence(world: "World", device: Handset, chance: random.Random) -> None:
    """K6: a manager gives a dealer a licence."""
    above = pick(device.open().records("customer"), chance)
    if above is not None:
        day = date(2026, 1, 1) + timedelta(days=chance.randrange(60))
        values = {"regions": [world.markets[0]], "products": ["茶"], "start": day.isoformat()}
        device.open().create("licence", values, parent=above)
