"""What every measured system offers to the workloads; one instance is one empty, running store."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bench.cards import Card

What = Literal["taken", "lost", "repeated", "failed"]
"""What became of one record: taken, refused or kept as the loser of a conflict, known already."""

Change = tuple[Card, dict[str, Any]]
"""A record as its device knows it, and the fields that are changed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says about one record; ``mark`` is the base of its next edit."""

    what: What
    mark: int | str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a pull, as read after the clock stopped."""

    records: int
    cursor: Any
    more: bool


class System(Protocol):
    """One system on one empty store. ``client`` numbers the devices from 0."""

    port: int
    pids: tuple[int, ...]
    """Root processes whose CPU counts, the database's among them."""

    def create(self, client: int, cards: Sequence[Card]) -> bytes:
        """The request that pushes new records."""

    def patch(self, client: int, changes: Sequence[Change]) -> bytes:
        """The request that pushes changes."""

    def overtake(self, client: int, changes: Sequence[Change]) -> bytes:
        """The same from another device, so that the bases of ``client`` are stale afterwards."""

    def read_push(self, body: bytes) -> list[Told]:
        """What an answer to a push says, in the order of the request."""

    def pull(self, client: int | None, cursor: Any) -> bytes:
        """The request for a page of 1,000 behind ``cursor``; None is the device that sees all."""

    def read_page(self, body: bytes) -> Page:
        """A page that an answer brought."""


class Maker(Protocol):
    """Makes running systems of one sort."""

    name: str
    store: Literal["sqlite", "postgresql", "leveldb"]
    scale: float
    """The part of the usual number of records that it gets; slow ones would take minutes."""

    def start(self) -> AbstractContextManager[System]:
        """A running system on a fresh store."""
