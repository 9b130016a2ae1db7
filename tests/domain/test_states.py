"""B1: every state of every kind: whoever must act in it is known, and until when."""

from collections.abc import Iterator

import pytest

from server.casework.machine import Machine
from server.domain import all_kinds
from server.people.principal import Principal
from server.sync.kinds import Change, Data, RecordKind
from tests.domain.records import POLICY

KINDS = all_kinds(POLICY)
MACHINES = [kind for kind in KINDS if kind.machine is not None]
REVIEWED = [kind for kind in KINDS if kind.machine is None and "verdict" in kind.fields]


def entered(kind: RecordKind, state: str) -> Change:
    """A record of ``kind`` that has just come to ``state``."""
    after: Data = {"state": state, "sender": "rep"}
    by = Principal(user="somebody", name="", session="")
    return Change(
        kind=kind.name, record="r", before={"state": ""}, after=after, withdrawn=False, by=by
    )


def machine_of(kind: RecordKind) -> Machine:
    """The machine of a kind that has one."""
    assert kind.machine is not None
    return kind.machine


def leads_to(machine: Machine, state: str) -> Iterator[str]:
    """Where a case in ``state`` can go next."""
    known = machine.states[state]
    yield from (move.to for move in known.moves.values())
    yield from (to for _condition, to in known.passes)


@pytest.mark.parametrize("kind", REVIEWED, ids=lambda kind: kind.name)
def test_b1_a_reviewed_record_waits_for_somebody_until_it_is_closed(kind: RecordKind) -> None:
    states = kind.json_schema["properties"]["state"]["x-choices"]
    for state in states.keys() - ({"unsigned"} if kind.name != "cross_region_case" else set()):
        waits = kind.waits(entered(kind, state))
        assert waits or kind.is_closed({"state": state}), state
        assert all(item.term.total_seconds() > 0 for item in waits or ())


@pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.name)
def test_b1_every_state_that_is_no_end_has_an_owner_role_and_a_due_time(kind: RecordKind) -> None:
    machine = machine_of(kind)
    for state in machine.states:
        waits = kind.waits(entered(kind, state)) or ()
        assert bool(waits) == (not machine.is_end(state)), state
        assert all(item.role and item.term.total_seconds() > 0 for item in waits)
        assert kind.is_closed({"state": state}) == machine.is_end(state), state


@pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.name)
def test_b1_every_state_is_reached_and_leads_to_an_end(kind: RecordKind) -> None:
    machine = machine_of(kind)
    reached, fresh = set(), {machine.start}
    while fresh:
        reached |= fresh
        fresh = {to for state in fresh for to in leads_to(machine, state)} - reached
    assert reached == machine.states.keys()
    ending = {state for state in reached if machine.is_end(state)}
    while more := {one for one in reached - ending if ending & set(leads_to(machine, one))}:
        ending |= more
    assert ending == reached


@pytest.mark.parametrize("kind", MACHINES, ids=lambda kind: kind.name)
def test_b2_every_move_is_somebodys_and_what_it_needs_is_a_field(kind: RecordKind) -> None:
    for state in machine_of(kind).states.values():
        for name, move in state.moves.items():
            assert move.roles <= kind.decide_roles or move.field != "verdict", name
            assert {*move.needs, move.field} <= kind.fields.keys(), name
