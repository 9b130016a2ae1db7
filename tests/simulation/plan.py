"""What a seed plans ahead: a swarm (which faults, how often) and a list of actions.

Every action carries a salt, from which all chance within it is drawn; so an action means nearly the
same when others before it are left out, and a failing list can be shrunk.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ACTIONS = 400
"""Actions that a seed plans."""

WORK = {
    "customer": 3.0,
    "visit": 3.0,
    "stall": 2.0,
    "report": 1.0,
    "receipt": 1.0,
    "edit": 6.0,
    "rush": 2.0,
    "sync": 8.0,
    "begin_sync": 3.0,
    "go_on": 8.0,
    "worker": 3.0,
    "later": 2.0,
}
"""What every seed does, by weight."""

FEATURES = {
    "draft": 2.0,
    "overtake": 0.8,
    "group": 2.0,
    "withdraw": 0.7,
    "photo": 2.5,
    "twin_photo": 0.7,
    "signature": 0.7,
    "restore_kept": 1.0,
    "resolve": 1.0,
    "misplaced": 0.7,
    "free": 0.3,
    "watch": 0.5,
    "leave_sync": 0.7,
    "reopen": 0.7,
    "logout": 0.3,
    "decide": 2.0,
    "undo": 0.5,
    "hand_over": 0.8,
    "office_edit": 1.5,
    "office_restore": 0.5,
    "dismiss": 0.3,
    "role": 0.6,
    "revoke": 0.15,
    "device_time": 1.0,
    "server_time": 0.7,
    "deliver": 3.0,
    "crash_server": 1.0,
    "crash_device": 1.0,
    "full_server": 0.4,
    "full_device": 0.4,
    "broken_server": 0.4,
    "broken_device": 0.4,
    "clone": 0.15,
    "device_back": 0.4,
    "backup": 0.4,
    "server_back": 0.4,
    "store_back": 0.4,
    "replica_rot": 0.3,
}
"""What some seeds do: each is in about half of them."""

CASES = {
    "find_goods": 4.0,
    "sign_case": 9.0,
    "case_photo": 3.0,
    "mend_case": 3.0,
    "take_back": 0.4,
    "supplement": 1.0,
    "lead_case": 16.0,
    "answer_trace": 6.0,
    "undo_step": 3.0,
    "override": 2.0,
    "handle_case": 3.0,
    "punish": 3.0,
    "rebut": 2.0,
    "follow": 14.0,
    "ship": 1.5,
    "grant_licence": 0.7,
}
"""What is done about market cases, in the seeds that have them."""

FATES = {
    "lost_request": 0.08,
    "lost_answer": 0.08,
    "late": 0.05,
    "doubled": 0.05,
    "doubled_later": 0.05,
    "cut_request": 0.05,
    "cut_answer": 0.05,
    "bad_gateway": 0.03,
    "busy": 0.03,
    "portal": 0.03,
    "meanwhile": 0.15,
}
"""What may become of a message, and how often at most."""

SPOILED = 0.04
"""How often something on the way changes a message, where it ever does."""

PORTIONS = (500, 500, 30, 4)
"""Most records of a page and most mutations of a batch; with few, all that is paged is."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the plan."""

    op: str
    who: int
    salt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """What one seed is made of."""

    reps: int
    managers: int
    devices: int
    ops: dict[str, float]
    fates: dict[str, float]
    ages: bool
    """Whether months and years pass at the server."""
    is_heard: bool
    """Whether another system hears of what happens."""
    has_cases: bool
    """Whether goods are found where they do not belong, and what becomes of that."""
    portion: int
    """Records that devices ask for at once, and mutations that they hand in at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A seed and what it does."""

    seed: int
    swarm: Swarm
    actions: tuple[Action, ...]


def make_plan(seed: int, *, actions: int = ACTIONS) -> Plan:
    """The plan of ``seed``; the same on every machine."""
    chance = random.Random(f"plan {seed}")
    swarm = _make_swarm(
        chance,
        is_heard=random.Random(f"heard {seed}").random() < 0.25,
        is_spoiled=random.Random(f"spoiled {seed}").random() < 0.25,
        has_cases=random.Random(f"cases {seed}").random() < 0.2,
        portion=random.Random(f"portion {seed}").choice(PORTIONS),
    )
    names, weights = list(swarm.ops), list(swarm.ops.values())
    chosen = chance.choices(names, weights, k=actions)
    return Plan(
        seed=seed,
        swarm=swarm,
        actions=tuple(Action(op, chance.randrange(60), chance.getrandbits(48)) for op in chosen),
    )


def _make_swarm(
    chance: random.Random, *, is_heard: bool, is_spoiled: bool, has_cases: bool, portion: int
) -> Swarm:
    reps, managers = chance.randint(1, 3), chance.randint(1, 2)
    ops = WORK | {
        name: weight * chance.uniform(0.3, 2.5)
        for name, weight in FEATURES.items()
        if chance.random() < 0.5
    }
    fates = {
        name: rate * chance.uniform(0.2, 2)
        for name, rate in FATES.items()
        if chance.random() < 0.45
    }
    return Swarm(
        reps=reps,
        managers=managers,
        devices=reps + managers + chance.randint(1, 2),
        ops=ops | (CASES if has_cases else {}),
        fates=fates | ({"spoiled": SPOILED} if is_spoiled else {}),
        ages=chance.random() < 0.15,
        is_heard=is_heard,
        has_cases=has_cases,
        portion=portion,
    )


def save_actions(path: Path, actions: Iterable[Action]) -> None:
    """Writes a list of actions, to be replayed."""
    path.write_text(json.dumps([[one.op, one.who, one.salt] for one in actions]))


def load_actions(path: Path) -> tuple[Action, ...]:
    """Reads what :func:`save_actions` wrote."""
    return tuple(Action(*one) for one in json.loads(path.read_text()))
