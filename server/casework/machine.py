"""States of a case as data: who must act in each, and who may take it where. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from server.people.principal import Role
from server.values import Value

Condition = Callable[[Mapping[str, Any]], bool]
"""Whether a case, by its data, goes on by itself."""


class Wait(Value, frozen=True):
    """B1: what somebody must do while a case is in a state."""

    role: Role
    task: str
    term: str
    """Name of the policy's term (X8)."""


class Move(Value, frozen=True):
    """A way from one state to another that somebody takes."""

    zh: str
    en: str
    to: str
    roles: frozenset[Role]
    """Who may take it, where their role covers the region of the case."""
    needs: tuple[str, ...] = ()
    """Fields that must be set by then."""
    field: str = "verdict"
    """What is written to take it: a verdict of this name, or any value in another field."""


class State(Value, frozen=True):
    """Where a case can stand. One in which nobody must act is an end."""

    zh: str
    en: str
    waits: tuple[Wait, ...] = ()
    moves: Mapping[str, Move] = {}
    passes: tuple[tuple[str, str], ...] = ()
    """(condition, state): where it goes by itself as soon as the condition holds; in order."""


class Machine(Value, frozen=True):
    """All states of a kind by name."""

    start: str
    states: Mapping[str, State]

    def move(self, state: str, name: str) -> Move | None:
        """The move called ``name`` out of ``state``, if there is one."""
        return self.states[state].moves.get(name) if state in self.states else None

    def is_end(self, state: str) -> bool:
        """Whether nobody must act any more."""
        return state in self.states and not self.states[state].waits

    def state_words(self) -> dict[str, tuple[str, str]]:
        """State → its words in zh and en."""
        return {name: (state.zh, state.en) for name, state in self.states.items()}

    def verdict_words(self) -> dict[str, tuple[str, str]]:
        """Verdict → its words in zh and en, of all states."""
        return {name: (move.zh, move.en) for name, move in self._moves() if move.field == "verdict"}

    def taken_back_by(self) -> str | None:
        """X9: the field that says why a case is taken back, where its states know such a move."""
        ways = (move.field for name, move in self._moves() if name == "withdrawn")
        return next(ways, None)

    def roles(self) -> frozenset[Role]:
        """Everybody who may take a verdict anywhere."""
        verdicts = (move for _name, move in self._moves() if move.field == "verdict")
        return frozenset().union(*(move.roles for move in verdicts))

    def settle(self, state: str, data: Mapping[str, Any], when: Mapping[str, Condition]) -> str:
        """Where a case that came to ``state`` goes by itself; at most through every state once."""
        for _ in self.states:
            passes = self.states[state].passes
            found = next((to for condition, to in passes if when[condition](data)), None)
            if found is None:
                break
            state = found
        return state

    def _moves(self) -> Iterator[tuple[str, Move]]:
        for state in self.states.values():
            yield from state.moves.items()
