"""Cases that go through states: what a machine makes of a change. Pure; knows no kind.

A verdict is a move of the machine. B2 holds as for every review: it names its reason, is undone for
some seconds, and is written only over the version that its writer saw.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypedDict

from server.casework.items import OpenItem, Waits
from server.casework.machine import Condition, Machine, Move
from server.casework.terms import open_item
from server.domain import shapes
from server.domain.positions import with_flags
from server.domain.review.rules import is_edited, is_newly_decided, is_undone
from server.domain.review.schemas import Reviewed
from server.domain.shapes import OFFICE, SERVER
from server.people.principal import Role
from server.policy import Policy
from server.sync.kinds import Change, Data, FieldErrors
from server.values import replace

PAUSES = {
    "supplement": ("等待补充材料", "Waiting for a supplement"),
    "authority": ("等待主管机关", "Waiting for an authority"),
    "laboratory": ("等待检验", "Waiting for a laboratory"),
    "other": ("其他", "Other"),
}
"""X8: reasons for which a clock may stand still."""
WAITING = ("state", "assigned_to", "pause")
"""What the open items of a case follow from."""


class Stepped(Reviewed):
    """The fields of a kind with a machine; it declares ``verdict`` and ``state`` itself."""

    assigned_to = shapes.key(
        "经办人", "Assigned to", writers=OFFICE, rule="authority", owner="office"
    )
    pause = shapes.choice(
        "暂停计时", "Clock paused for", PAUSES, writers=OFFICE, rule="authority", owner="office"
    )
    came_from = shapes.text("前一状态", "Came from", writers=SERVER)
    policy_version = shapes.integer("制度版本", "Policy version", writers=SERVER)


class Led(TypedDict):
    """What every kind with a machine declares alike."""

    decide_roles: frozenset[Role]
    waits: Callable[[Change], Waits]
    machine: Machine
    is_closed: Callable[[Data], bool]


def led_by(machine: Machine, policy: Policy) -> Led:
    """The part of a kind's declaration that follows from its machine alone."""
    return Led(
        decide_roles=machine.roles(),
        waits=lambda change: b1_waits(machine, policy, change),
        machine=machine,
        is_closed=lambda case: machine.is_end(str(case.get("state"))),
    )


def b2_step_errors(machine: Machine, change: Change) -> FieldErrors:
    """B2: refuses a move that does not lead out of the state, or is not this person's to take."""
    if change.before is None:
        return {name: "not_in_state" for name in _triggers(machine) if name in change.after}
    stands = str(change.before.get("state", machine.start))
    if is_newly_decided(change) and not is_undone(change) and "verdict" in change.after:
        return _verdict_errors(machine, change, stands)
    written = [name for name in _triggers(machine) if _is_set(change, name)]
    told = {name: _field_error(change, _by_field(machine, stands, name)) for name in written}
    return {name: code for name, code in told.items() if code}


def _field_error(change: Change, move: Move | None) -> str:
    """Why a device may not take ``move``: its user has no role for it, nor sent the record."""
    if move is None:
        return "not_in_state"
    sent_it = (change.before or {}).get("sender") == change.by.user
    is_free = change.by.device is None or sent_it or change.by.has(move.roles, change.region)
    return "" if is_free else "not_your_role"


def _verdict_errors(machine: Machine, change: Change, stands: str) -> FieldErrors:
    after = change.after
    move = machine.move(stands, after["verdict"])
    if move is None or move.field != "verdict":
        return {"verdict": "not_in_state"}
    if not change.by.has(move.roles, change.region):
        return {"verdict": "not_your_role"}
    said = {
        "verdict_reason": after.get("verdict_reason") or after.get("verdict_note"),
        **{name: after.get(name) for name in ("decided_by", "decided_at", *move.needs)},
    }
    return {name: "required" for name, value in said.items() if not value}


def derive_steps(
    machine: Machine,
    change: Change,
    *,
    policy: Policy,
    when: Mapping[str, Condition],
    found: Iterable[str] = (),
    derived: Data | None = None,
) -> Data:
    """The server's fields of a case with a machine: where it stands, who sent it, under which
    policy it was judged, what is remarkable.

    ``derived`` are the kind's own; the conditions ``when`` see them.
    """
    before, own = change.before or {}, derived or {}
    state, came_from = _next(machine, change)
    state = machine.settle(state, {**change.after, **own}, when)
    late = machine.is_end(str(before.get("state"))) and is_edited(change)
    flags = with_flags(change.after, {*found, *({"changed_after_decision"} if late else set())})
    sender = change.author.user if change.before is None else change.after.get("sender")
    moved = before.get("state") != state
    told = {
        "state": state,
        "flags": flags,
        **({"sender": sender} if sender else {}),
        **({"came_from": came_from} if came_from else {}),
        **({"policy_version": policy.version} if moved else {}),
    }
    return {**own, **told}


def settle_steps(
    machine: Machine, record: Data, *, policy: Policy, when: Mapping[str, Condition]
) -> Data:
    """Where a record goes by what came beneath it, and under which policy it went on."""
    stands = record.get("state")
    state = machine.settle(str(stands or machine.start), record, when)
    return {"state": state} | ({"policy_version": policy.version} if state != stands else {})


def _next(machine: Machine, change: Change) -> tuple[str, str | None]:
    """The state that a change leads to before conditions are asked, and the one it came from."""
    if change.before is None:
        return machine.start, None
    stands = str(change.before.get("state", machine.start))
    if is_newly_decided(change):
        if is_undone(change):
            return str(change.before.get("came_from", stands)), stands
        move = machine.move(stands, str(change.after.get("verdict")))
        return (move.to, stands) if move else (stands, None)
    for name in _triggers(machine):
        move = _by_field(machine, stands, name)
        if move is not None and _is_set(change, name):
            return move.to, stands
    return stands, None


def _triggers(machine: Machine) -> list[str]:
    """Fields other than the verdict that take a move when they are set."""
    moves = (move for state in machine.states.values() for move in state.moves.values())
    return sorted({move.field for move in moves} - {"verdict"})


def _is_set(change: Change, name: str) -> bool:
    before = change.before or {}
    return name in change.after and change.after[name] != before.get(name)


def _by_field(machine: Machine, state: str, name: str) -> Move | None:
    known = machine.states.get(state)
    moves = known.moves.values() if known else ()
    return next((move for move in moves if move.field == name), None)


def b1_waits(machine: Machine, policy: Policy, change: Change) -> Waits:
    """B1, X8: who must act in the state, by the policy that holds now; paused clocks stand still.

    While they do, the pause itself waits for somebody, so that it ends.
    """
    after, before = change.after, change.before
    if change.withdrawn:
        return ()
    again = _is_taken_again(machine, change) or _was_taken_again(change)
    same = before is not None and all(before.get(name) == after.get(name) for name in WAITING)
    if same and not again:
        return None
    state, pause = machine.states.get(str(after.get("state"))), after.get("pause", "")
    if state is None or not state.waits:
        return ()
    items = []
    for wait in state.waits:
        term = getattr(policy.terms, wait.term)
        item = open_item(policy, term, wait.role, wait.task)
        person = _person(after, wait.role)
        items.append(
            replace(item, pause=pause, person=person, goes_on=is_undone(change), anew=again)
        )
    return tuple(items) if not pause else (*items, _end_of_pause(policy, items[0]))


def _is_taken_again(machine: Machine, change: Change) -> bool:
    """Whether a move led back into the state that it left, so that its clocks begin anew."""
    if change.before is None or not is_newly_decided(change) or is_undone(change):
        return False
    state = str(change.before.get("state"))
    move = machine.move(state, str(change.after.get("verdict")))
    return move is not None and move.to == state == change.after.get("state")


def _was_taken_again(change: Change) -> bool:
    """B2: whether such a move is taken back, so that the clocks before it go on."""
    before = change.before or {}
    stood = {before.get("state"), before.get("came_from"), change.after.get("state")}
    return is_undone(change) and len(stood) == 1


def _person(case: Data, role: Role) -> str | None:
    """Who of the role: the rep who sent it, or the one whom the office named."""
    return case.get("sender") if role == Role.REP else case.get("assigned_to")


def _end_of_pause(policy: Policy, paused: OpenItem) -> OpenItem:
    return replace(
        open_item(policy, policy.terms.supplement_wanted, paused.role, "end_pause"),
        person=paused.person,
        goes_on=paused.goes_on,
    )
