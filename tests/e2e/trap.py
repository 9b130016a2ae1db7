"""When to kill, and a link between device and server that does it inside a request."""

import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from server.demo.link import Link, Send

INSIDE_OF_FIVE = 3
"""Of five kills in the second half, so many strike inside a request, the others at any moment."""
LEAST_BYTES = 60
PLACES = (
    # up to which share of the kills, which request, most bytes of it and of its answer that pass
    (0.4, b"/v1/sync/push", 12_000, 4_000),
    (0.5, b"/v1/sync/pull", 300, 300),
    (1.0, b"/v1/media/uploads", 120_000, 300),
)
METHODS = (b"GET ", b"POST ", b"HEAD ", b"PATCH ")


@dataclass(frozen=True)
class Blow:
    """One kill: ``after`` so many bytes of ``request`` (``up``) or of its answer.

    Without ``after``: so many ``seconds`` after the first byte passed, wherever the sync is then.
    """

    target: str
    request: bytes
    up: bool
    after: int | None
    seconds: float


class Trap(Link):
    """Kills once so many bytes have passed, while the rest of them is still held back."""

    def __init__(self) -> None:
        super().__init__(0)
        self._blow: Blow | None = None
        self._strike: Callable[[], None] = lambda: None
        self._passed = 0
        self._counts = False
        self.moving = threading.Event()
        self.sprung = threading.Event()

    def arm(self, blow: Blow, strike: Callable[[], None]) -> None:
        """The next kill."""
        self.sprung.clear()
        self.moving.clear()
        self._counts = False
        self._passed, self._blow, self._strike = 0, blow, strike

    def carry(self, piece: bytes, send: Send, *, up: bool) -> bool:
        """Passes bytes on up to the place of the next kill."""
        blow = self._blow
        self.moving.set()
        if blow is None or blow.after is None:
            send(piece)
            return True
        if up and piece.startswith(METHODS):
            self._counts, self._passed = blow.request in piece.split(b"\r\n", 1)[0], 0
        if not self._counts or up != blow.up or self._passed + len(piece) <= blow.after:
            self._passed += len(piece) if up == blow.up else 0
            send(piece)
            return True
        self._blow = None
        send(piece[: blow.after - self._passed])
        self.sprung.set()
        self._strike()
        return False


def plan_blows(kills: int, seed: int) -> list[Blow]:
    """Device and server in turn, through the phases of a sync, at places of every magnitude."""
    chance = random.Random(seed)
    blows = []
    for number in range(kills):
        _, request, most_up, most_down = next(row for row in PLACES if number / kills < row[0])
        up = chance.random() < 0.5
        most = most_up if up else most_down
        place = math.exp(chance.uniform(math.log(LEAST_BYTES), math.log(most)))
        is_inside = number < kills / 2 or number % 5 < INSIDE_OF_FIVE
        after = int(place) if is_inside else None
        target = ("device", "server")[number % 2]
        blows.append(Blow(target, request, up, after, chance.uniform(0.0, 0.1)))
    return blows
