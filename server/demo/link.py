"""A bad mobile link on this machine: passes bytes on between a device and the server, and cuts.

Knows nothing of what it carries.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

PIECE = 16 * 1024
Send = Callable[[bytes], None]


class Link:
    """Listens on a free port of this machine and passes on whatever comes.

    Subclasses say in :meth:`carry` what becomes of each piece.
    """

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port = int(self._door.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for end in tuple(self._open):
            self._close(end)

    def carry(self, piece: bytes, send: Send, *, up: bool) -> bool:  # noqa: ARG002
        """Sends ``piece`` on; False cuts the connection. ``up``: from the device."""
        send(piece)
        return True

    def _welcome(self) -> None:
        with suppress(OSError):  # the door was closed
            while True:
                near, _address = self._door.accept()
                self._connect(near)

    def _connect(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.to_port), timeout=30)
        except OSError:  # nobody answers behind the link
            near.close()
            return
        far.settimeout(None)
        self._open |= {near, far}
        for source, target, up in ((near, far, True), (far, near, False)):
            pump = threading.Thread(target=self._pump, args=(source, target, up), daemon=True)
            pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):  # either end went away
            while piece := source.recv(PIECE):
                with self._lock:
                    goes_on = self.carry(piece, target.sendall, up=up)
                if not goes_on:
                    break
        self._close(source)
        self._close(target)

    def _close(self, end: socket.socket) -> None:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
        self._open.discard(end)


class CuttingLink(Link):
    """Breaks the connection whenever so many bytes from the device have passed, a few times."""

    def __init__(self, to_port: int, cuts: Sequence[int]) -> None:
        super().__init__(to_port)
        self._cuts = list(cuts)
        self._passed = 0
        self.done = 0
        """How often it has cut."""

    def carry(self, piece: bytes, send: Send, *, up: bool) -> bool:
        """Sends the part of ``piece`` that comes before the next cut."""
        if not up or not self._cuts or self._passed + len(piece) < self._cuts[0]:
            self._passed += len(piece) if up else 0
            send(piece)
            return True
        rest = self._cuts.pop(0) - self._passed
        self._passed = 0
        self.done += 1
        send(piece[:rest])
        return False
