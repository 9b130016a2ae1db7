"""The network between devices and server: every message has a fate that the seed decides."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from fieldstamp import OfflineError, Request, Response
from tests.simulation.seen import Seen

FATES_TOLD = (
    "passes", "lost_request", "lost_answer", "late", "doubled", "doubled_later", "cut_request",
    "cut_answer", "bad_gateway", "busy", "portal", "meanwhile", "delivered_late",
    "delivered_reordered", "spoiled",
)  # fmt: skip
"""Every fate, as it is counted."""
PAGE = {"content-type": "text/html"}
TYPED = "§".encode()
"""Begins every text that a person types."""
Deliver = Callable[[int, Request, int | None], Response]
"""(device, request, bytes of the body that come through; None: all) → the server's answer."""


class Unanswered(Exception):
    """The server died, or was not there."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message on its way, to be delivered later; ``order`` is when it was sent."""

    device: int
    order: int
    request: Request


@dataclass
class Net:
    """Decides fates and keeps what is delivered later; without ``fates`` it is perfect."""

    seen: Seen
    deliver: Deliver
    meanwhile: Callable[[], None]
    chance: random.Random
    """Replaced for every action."""
    fates: dict[str, float] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    cut_off: set[int] = field(default_factory=set)
    """Devices without any network."""
    sent: int = 0
    """Messages of all devices."""
    _newest: dict[int, int] = field(default_factory=dict)

    def carry(self, device: int, request: Request) -> Response:
        """The answer, if fate lets it through. Raises OfflineError."""
        fate = "cut_off" if device in self.cut_off else self._fate()
        self.seen.step(f"{device} {request.method} {urlsplit(request.url).path} {fate}")
        self.seen.note("fate", fate)
        self.sent += 1
        try:
            return self._meet(fate, device, request)
        except Unanswered as error:
            raise OfflineError("nobody answered") from error

    def deliver_held(self) -> bool:
        """Delivers one message that was under way; its answer reaches nobody."""
        if not self.held:
            return False
        late = self.held.pop(self.chance.randrange(len(self.held)))
        reordered = late.order < self._newest.get(late.device, 0)
        self.seen.step(f"{late.device} held {urlsplit(late.request.url).path}")
        self.seen.note("fate", "delivered_reordered" if reordered else "delivered_late")
        with suppress(Unanswered):
            self.deliver(late.device, late.request, None)
        return True

    def _fate(self) -> str:
        for name, rate in self.fates.items():
            if self.chance.random() < rate:
                return name
        return "passes"

    def _meet(self, fate: str, device: int, request: Request) -> Response:
        if fate in {"late", "doubled_later"}:
            self.held.append(Held(device, self.sent, request))
        if fate in {"lost_request", "late", "cut_off"}:
            raise OfflineError("the request was lost")
        if fate in _FOREIGN:
            return _FOREIGN[fate]
        if fate == "meanwhile":
            self.meanwhile()
        if fate == "spoiled" and request.method == "PATCH" and request.body:
            request = replace(request, body=request.body[:-1] + bytes([request.body[-1] ^ 1]))
        if fate == "doubled":
            self.deliver(device, request, None)
        self._newest[device] = self.sent
        if fate == "cut_request" and request.body:
            self.deliver(device, request, self.chance.randrange(len(request.body)))
            raise OfflineError("the connection broke")
        answer = self.deliver(device, request, None)
        return self._on_the_way_back(fate, answer)

    def _on_the_way_back(self, fate: str, answer: Response) -> Response:
        if fate in {"lost_answer", "cut_request"}:
            raise OfflineError("the answer was lost")
        if fate == "meanwhile":
            self.meanwhile()
        if fate == "cut_answer" and answer.body:
            return replace(answer, body=answer.body[: self.chance.randrange(len(answer.body))])
        if fate == "spoiled":
            return replace(answer, body=_spoil(answer.body))
        return answer


def _spoil(body: bytes) -> bytes:
    """P3, P7: the first outcome and the first text of a record are others on their way."""
    told = body.replace(b'"outcome":"rejected"', b'"outcome":"applied"', 1)
    return told.replace(TYPED, TYPED + TYPED, 1)


_FOREIGN = {
    "bad_gateway": Response(status=502, headers=PAGE, body=b"<html>502</html>"),
    "busy": Response(status=503, headers=PAGE | {"retry-after": "5"}, body=b"<html>busy</html>"),
    "portal": Response(status=200, headers=PAGE, body=b"<html>log in to this network</html>"),
}
"""What something else on the way answers in the server's name."""
