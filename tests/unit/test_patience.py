"""Who takes an answer too slowly is hung up on; who takes it, however slowly, gets all of it."""

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from server.api.patience import SMALLEST_PIECE, TAKING, Patience, confirmed, left_to_take
from tests.until import until

SECONDS = 60.0
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems do not say what was taken"
)


class Clock:
    """Goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(seconds=SECONDS / TAKING, monotonic=clock)


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection: the server's end, full of what it says, and the other one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taker = socket.create_connection(listener.getsockname())
        giver, _ = listener.accept()
    with giver, taker:
        giver.setblocking(False)
        fill(giver)
        yield giver, taker


def fill(giver: socket.socket) -> None:
    with suppress(BlockingIOError):
        while True:
            giver.send(bytes(65536))


def is_open(giver: socket.socket) -> bool:
    try:
        giver.send(b"x")
    except BlockingIOError:
        return True
    except BrokenPipeError:
        return False
    return True


def take(taker: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(taker.recv(count))


def test_attack_18_who_takes_nothing_is_hung_up_on(
    patience: Patience, clock: Clock, line: tuple[socket.socket, socket.socket]
) -> None:
    giver, _taker = line
    patience.answer(giver)
    patience.look()
    clock.now = SECONDS - 1
    patience.look()
    assert is_open(giver)
    until(lambda: is_hung_up_on(patience, clock, giver))


def is_hung_up_on(patience: Patience, clock: Clock, giver: socket.socket) -> bool:
    """After as long again; what the system had still on its way counts as taken."""
    clock.now += SECONDS
    patience.look()
    return not is_open(giver)


def test_who_takes_a_little_each_time_gets_all_of_it(
    patience: Patience, clock: Clock, line: tuple[socket.socket, socket.socket]
) -> None:
    giver, taker = line
    patience.answer(giver)
    for _ in range(3):
        patience.look()
        before = confirmed(giver)
        take(taker, 1_000_000)
        until(lambda since=before: confirmed(giver) >= since + SMALLEST_PIECE)  # type: ignore[misc]
        fill(giver)
        clock.now += SECONDS - 1
        patience.look()
        assert is_open(giver)
    until(lambda: is_hung_up_on(patience, clock, giver))


def test_an_answer_that_was_taken_leaves_its_connection_alone(
    patience: Patience, clock: Clock, line: tuple[socket.socket, socket.socket]
) -> None:
    giver, taker = line
    patience.answer(giver)
    patience.look()
    taker.setblocking(False)
    until(lambda: drained(giver, taker))
    clock.now = 10 * SECONDS
    patience.look()
    assert is_open(giver)


def drained(giver: socket.socket, taker: socket.socket) -> bool:
    with suppress(BlockingIOError):
        while taker.recv(1_000_000):
            pass
    return left_to_take(giver) == 0


def test_the_next_request_ends_the_watch_over_the_answer_before_it(
    patience: Patience, clock: Clock, line: tuple[socket.socket, socket.socket]
) -> None:
    giver, _taker = line
    patience.answer(giver)
    patience.forget(giver)
    clock.now = 10 * SECONDS
    patience.look()
    assert is_open(giver)
    patience.answer(giver)
    giver.close()
    patience.look()
