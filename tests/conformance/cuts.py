"""A photo over a link that is cut again and again: ``python -m tests.conformance.cuts``.

A real device sends to a real server through a link that carries so many bytes a second and breaks
at places that nobody knows beforehand. Told is what went over it, and what was in flight.
"""

import argparse
import contextlib
import fcntl
import hashlib
import random
import socket
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fieldstamp import Client, SyncReport
from server.settings import Settings
from tests.e2e.people import issue_code
from tests.live import LiveServer, live_server
from tests.until import until

PIECE = 16 * 1024
SLACK = 0.05


@dataclass
class Link:
    """A way to a server that breaks behind each of ``cuts``, counted in bytes that it took."""

    rate: int
    """Bytes a second."""
    port: int = 0
    """Of the server."""
    cuts: list[int] = field(default_factory=list)
    taken: int = 0
    """All bytes that devices gave to it."""
    in_flight: list[int] = field(default_factory=list)
    """At each cut: bytes that it had taken and that the server's program had not read."""
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    one: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where devices reach the server."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Takes connections until it is closed."""
        with contextlib.suppress(OSError):
            while True:
                device, _ = self.listener.accept()
                # A small window, so that little is under way that nobody can count.
                device.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=_answer, args=(server, device), daemon=True).start()
                threading.Thread(target=self._carry, args=(device, server), daemon=True).start()

    def _carry(self, device: socket.socket, server: socket.socket) -> None:
        begun, carried = time.monotonic(), 0
        with contextlib.suppress(OSError):
            while piece := device.recv(PIECE):
                if self._is_cut(len(piece)):
                    self.in_flight.append(len(piece) + _unsent(server) + _unread(server))
                    _break(server)
                    _break(device)
                    return
                server.sendall(piece)
                carried += len(piece)
                time.sleep(max(begun + carried / self.rate - time.monotonic(), 0))
            server.shutdown(socket.SHUT_WR)

    def _is_cut(self, size: int) -> bool:
        with self.one:
            self.taken += size
            if not self.cuts or self.taken < self.cuts[0]:
                return False
            self.cuts.pop(0)
            return True


def _unsent(line: socket.socket) -> int:
    """What the other side has not confirmed to have."""
    return int(struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, b"\0" * 4))[0])


def _unread(line: socket.socket) -> int:
    """What waits in the other side's kernel for its program to read; a reset takes it away."""
    here, there = (f":{end[1]:04X}" for end in (line.getsockname(), line.getpeername()))
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = row.split()
        if columns[1].endswith(there) and columns[2].endswith(here):
            return int(columns[4].partition(":")[2], 16)
    return 0


def _break(line: socket.socket) -> None:
    """Ends a connection by a reset, in both directions at once."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()


def _answer(server: socket.socket, device: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := server.recv(65536):
            device.sendall(piece)
        device.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True)
class Told:
    """What a run has shown."""

    size: int
    taken: int
    in_flight: int
    cuts: int
    syncs: int
    equal: bool

    @property
    def holds(self) -> bool:
        """Whether the bytes are there, and no more was sent than they, a little, and what was lost
        on the way."""
        return self.equal and self.taken <= self.size * (1 + SLACK) + self.in_flight


@contextlib.contextmanager
def linked(settings: Settings, rate: int) -> Iterator[tuple[LiveServer, Link]]:
    """A running server and a link to it, which is the only address that devices know."""
    link = Link(rate)
    with (
        contextlib.closing(link.listener),
        live_server(settings, FIELDSTAMP_ORIGINS=link.url) as server,
    ):
        link.port = server.port
        threading.Thread(target=link.serve, daemon=True).start()
        yield server, link


def run(folder: Path, *, size: int, cuts: int, seed: int, rate: int) -> Told:
    """One photo of ``size`` bytes over a link that is cut ``cuts`` times."""
    chance = random.Random(seed)
    content = b"\xff\xd8\xff" + chance.randbytes(size - 3)
    places = sorted(chance.randrange(size // 50, size) for _ in range(cuts))
    with linked(Settings(data=folder / "data"), rate) as (server, link):
        with Client(folder / "field.db", server=link.url) as device:
            device.enrol(issue_code(server))
            shop = device.create("customer", {"name": "店", "customer_type": "store"})
            device.sync().run()
            photo = device.attach(shop, content, tag="store_front")
            begun = link.taken
            link.cuts = [begun + place for place in places]
            syncs = _sync_until_done(device)
            told = device.get(photo.id)["state"]
        stored = server.app.extensions["fieldstamp"].media.disk
        equal = told == "verified" and _hash(stored.path(photo["sha256"])) == _hashed(content)
        done = cuts - len(link.cuts)
        return Told(size, link.taken - begun, sum(link.in_flight), done, syncs, equal)


def _sync_until_done(device: Client) -> int:
    reports: list[SyncReport] = []

    def sync() -> bool:
        reports.append(device.sync().run())
        return reports[-1].synced

    until(sync, say=lambda: "the photo did not arrive")
    return len(reports)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Runs once and says what it has shown; status 1 where it does not hold."""
    parser = argparse.ArgumentParser(prog="tests.conformance.cuts", description=__doc__)
    parser.add_argument("--bytes", type=int, default=12_000_000)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=2_000_000, help="bytes a second")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = run(
            Path(folder), size=asked.bytes, cuts=asked.cuts, seed=asked.seed, rate=asked.rate
        )
    more = (told.taken - told.size) / told.size
    sys.stdout.write(
        f"{told.size} bytes, {told.cuts} cuts, {told.syncs} syncs; sent {told.taken} (+{more:.1%}),"
        f" in flight at the cuts {told.in_flight}; hash equal: {told.equal}; holds: {told.holds}\n"
    )
    return 0 if told.holds and told.cuts == asked.cuts else 1


if __name__ == "__main__":
    sys.exit(main())
