"""Somebody else's system that hears of events over a bad network: what reached it (L4).

No event is looked for in the server's own books here; ``quiescence`` compares both in the end.
"""

import json
import random
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from server.outward.calling import Network
from tests.simulation.seen import Seen, hold

PLACE = "erp.example.com:80"
URL = "http://erp.example.com/heard"
ANSWERS = {
    "arrived": b"HTTP/1.1 204 No Content\r\n\r\n",
    "failed": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "lost_answer": b"",
}
"""What the line carries back; of the last, nothing comes through of what was taken."""
TAKEN = {"arrived", "lost_answer"}
TROUBLES = ("failed", "lost_answer", "silent")
Asked = ParamSpec("Asked")
Told = TypeVar("Told")


class Receiver:
    """What was heard, by the id of the event; ``trouble`` is how often something goes wrong."""

    def __init__(self, seen: Seen, chance: Callable[[], random.Random]) -> None:
        self.trouble = 0.4
        self.heard: dict[str, Mapping[str, Any]] = {}
        self._seen = seen
        self._chance = chance
        self._lines: list[tuple[str, socket.socket]] = []

    @property
    def network(self) -> Network:
        """The way to it."""
        return Network(resolve=lambda _host, _port: ["192.0.2.7"], dial=self._dial)

    def _dial(self, _address: str, _port: int) -> socket.socket:
        chance = self._chance()
        fate = chance.choice(TROUBLES) if chance.random() < self.trouble else "arrived"
        self._seen.note("hook", fate)
        if fate == "silent":
            raise TimeoutError
        near, far = socket.socketpair()
        far.sendall(ANSWERS[fate])
        far.shutdown(socket.SHUT_WR)
        self._lines.append((fate, far))
        return near

    def listen(self) -> None:
        """Reads what was sent on the lines that are closed by now."""
        while self._lines:
            fate, line = self._lines.pop(0)
            with line, line.makefile("rb") as sent:
                head, _, body = sent.read().partition(b"\r\n\r\n")
            if fate in TAKEN:
                self._hear(head.decode(), json.loads(body))

    def _hear(self, head: str, told: Mapping[str, Any]) -> None:
        """Whatever comes a second time under an id is the same that came before."""
        hold("L4", f"webhook-id: {told['id']}" in head.splitlines(), head)
        known = self.heard.setdefault(told["id"], told)
        same = all(_about(one) == _about(told) for one in (known, told))
        hold("L4", same, f"one id, two events: {known} {told}")


def _about(told: Mapping[str, Any]) -> tuple[str, str]:
    return told["type"], told["data"]["record"]


class OneLane(ThreadPoolExecutor):
    """Runs what it is given at once: there is one thread in a simulated company."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(1)
        self._receiver = receiver

    def submit(
        self, act: Callable[Asked, Told], /, *args: Asked.args, **named: Asked.kwargs
    ) -> Future[Told]:
        """The future of what is over."""
        done: Future[Told] = Future()
        done.set_result(act(*args, **named))
        self._receiver.listen()
        return done
