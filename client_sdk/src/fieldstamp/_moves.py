"""Where a record may be led from the state that this device knows, and by whom. Pure.

The server alone decides: what was right when it was saved and is wrong when it arrives is told by
its outcome. What is known to be wrong is said at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_IN_STATE = "not_in_state"
NOT_YOUR_ROLE = "not_your_role"


@dataclass(frozen=True, slots=True)
class Move:
    """A way out of a state, taken by writing ``field``."""

    field: str
    to: str
    roles: frozenset[str] | None
    """Who may take it; None: the server did not say."""


States = Mapping[str, Sequence[Move]]
"""State → the moves that lead out of it, or out of one to which it may have passed by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """Who wants to lead a record on, and whether they sent it."""

    roles: frozenset[str]
    """Empty: not known."""
    is_own: bool

    def may(self, move: Move) -> bool:
        """Whether nothing is known that would keep them from it."""
        is_unknown = move.roles is None or not self.roles
        return is_unknown or self.is_own or not self.roles.isdisjoint(move.roles or ())


def read(told: object) -> States:
    """The states as the server describes them; none where it says nothing that can be read."""
    if not isinstance(told, dict):
        return {}
    try:
        moves = {state: _moves(one["moves"].values()) for state, one in told.items()}
        passes = {state: frozenset(one.get("passes", ())) for state, one in told.items()}
        return {state: _reached(state, moves, passes) for state in told}
    except (AttributeError, KeyError, TypeError):
        return {}


def _reached(
    state: str, moves: Mapping[str, tuple[Move, ...]], passes: Mapping[str, frozenset[str]]
) -> tuple[Move, ...]:
    """The moves out of ``state``, then those out of where it may stand by now."""
    reached = [state]
    for one in reached:
        reached += sorted(passes[one] - {*reached})
    return tuple(move for one in reached for move in moves[one])


def _moves(told: Iterable[Mapping[str, Any]]) -> tuple[Move, ...]:
    return tuple(
        Move(
            _text(one["field"]),
            _text(one["to"]),
            frozenset(one["roles"]) if "roles" in one else None,
        )
        for one in told
    )


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise TypeError(told)
    return told


def triggers(states: States) -> frozenset[str]:
    """The fields that lead a record on when they are written."""
    return frozenset(move.field for moves in states.values() for move in moves)


def state_after(states: States, state: str, changes: Iterable[Mapping[str, Any]]) -> str:
    """Where a record in ``state`` stands once ``changes`` of it have arrived."""
    for change in changes:
        taken = (move for move in states.get(state, ()) if move.field in change)
        state = next((move.to for move in taken), state)
    return state


def refused(
    states: States, data: Mapping[str, Any], wanted: Mapping[str, Any], mover: Mover
) -> dict[str, str]:
    """Field → code of what ``wanted`` may not lead on; ``data`` is the record as it stands.

    A state that is not known here refuses nothing.
    """
    moves = states.get(str(data.get("state")))
    if moves is None:
        return {}
    written = {name for name in triggers(states) & wanted.keys() if data.get(name) != wanted[name]}
    told = {name: [move for move in moves if move.field == name] for name in written}
    return {
        name: NOT_YOUR_ROLE if ways else NOT_IN_STATE
        for name, ways in sorted(told.items())
        if not any(map(mover.may, ways))
    }


def refused_at_birth(states: States, wanted: Mapping[str, Any]) -> dict[str, str]:
    """The same of a new record, which has not been anywhere yet."""
    return dict.fromkeys(sorted(triggers(states) & wanted.keys()), NOT_IN_STATE)
