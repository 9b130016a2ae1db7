"""Ends what takes too long: a thread that waits for a slow client is lost to all others.

The time limit of a socket does not do it: it begins anew with every byte, so that one byte at a
time holds a thread for ever, and what was gathered when it strikes is lost.
"""

import fcntl
import socket
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from flask import Flask, Request, Response, request
from gunicorn.http.body import LengthReader

from server.services import Services

LOOK_SECONDS = 1.0
SMALLEST_PIECE, LARGEST_PIECE = 8 * 1024, 256 * 1024
QUICK_SECONDS = 0.05
TAKING = 3
"""An answer has so many times as long as a body: a device that lost its way for a moment may still
take it, and would have to ask for all of it again."""
CONFIRMED_AT = 120
"""Where ``tcpi_bytes_acked`` stands in Linux's ``struct tcp_info``."""


def connection_of(request: Request) -> socket.socket | None:
    """The client's socket, where the server hands it out (gunicorn does)."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, socket.socket) else None


def stop_reading(connection: socket.socket | None) -> None:
    """Shuts the read side: who reads gets what has come so far, and then the end.

    Nor does the server drain what a client still sends that it has refused.
    """
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def confirmed(connection: socket.socket) -> int:
    """How many bytes the other side has taken so far. Raises ``OSError`` where it is closed."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, CONFIRMED_AT + 8)
    return int(struct.unpack_from("=Q", told, CONFIRMED_AT)[0])


def left_to_take(connection: socket.socket) -> int:
    """How many bytes wait for the other side to take them. Raises ``OSError``."""
    return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0])


@dataclass(slots=True)
class _Answer:
    """What somebody is given on a connection."""

    connection: socket.socket
    due: float
    confirmed: int | None = None
    """When it was last due; None: not looked at yet."""


class Patience:
    """Watches the reads and the answers of one process, in a thread that begins with the first."""

    def __init__(self, *, seconds: float, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self._seconds = seconds
        self._reads: dict[int, tuple[float, socket.socket]] = {}
        self._answers: dict[int, _Answer] = {}
        self._changing = threading.Lock()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def limit(self, connection: socket.socket) -> Iterator[None]:
        """What is read from ``connection`` meanwhile ends when patience does."""
        with self._changing:
            self._reads[id(connection)] = (self.monotonic() + self._seconds, connection)
            self._begin()
        try:
            yield
        finally:
            with self._changing:
                self._reads.pop(id(connection), None)

    def answer(self, connection: socket.socket) -> None:
        """What is written to ``connection`` from now on must be taken in time, until
        :meth:`forget`."""
        if not sys.platform.startswith("linux"):  # other systems do not say what was taken
            return
        with self._changing:
            due = self.monotonic() + TAKING * self._seconds
            self._answers[id(connection)] = _Answer(connection, due)
            self._begin()

    def forget(self, connection: socket.socket) -> None:
        """Another request came on ``connection``: the answer before it was taken."""
        with self._changing:
            self._answers.pop(id(connection), None)

    def _begin(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="patience", daemon=True)
            self._watcher.start()

    def _watch(self) -> None:
        tick = threading.Event()
        while not tick.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Ends what is overdue."""
        now = self.monotonic()
        with self._changing:  # so that no connection is shut whose read has just ended
            for due, connection in self._reads.values():
                if due <= now:
                    stop_reading(connection)
            for answer in [*self._answers.values()]:
                if not self._goes_on(answer, now):
                    del self._answers[id(answer.connection)]

    def _goes_on(self, answer: _Answer, now: float) -> bool:
        """Whether it is to be watched any longer. Who takes too little is hung up on."""
        try:
            taken = confirmed(answer.connection)
            if answer.confirmed is None:
                answer.confirmed = taken
            if taken - answer.confirmed >= SMALLEST_PIECE:
                answer.confirmed, answer.due = taken, now + TAKING * self._seconds
            if now < answer.due:
                return True
            if left_to_take(answer.connection):
                answer.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed meanwhile
        return False


class PatientInput:
    """The body of one request as WSGI's ``wsgi.input``; what is read may be less than is asked.

    Pieces are small on a slow line: each of them must come in time, and a server that dies there
    takes little along. On a quick one they grow, for each costs time of its own.
    """

    def __init__(self, stream: BinaryIO, connection: socket.socket, patience: Patience) -> None:
        reader = getattr(stream, "reader", None)
        self._read = Line(reader).read if isinstance(reader, LengthReader) else stream.read
        self._most = LARGEST_PIECE if isinstance(reader, LengthReader) else SMALLEST_PIECE
        self._connection = connection
        self._patience = patience

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, fewer only where they come slowly; all that come for -1."""
        if size < 0:
            return b"".join(iter(lambda: self.read(LARGEST_PIECE), b""))
        begun = self._patience.monotonic()
        with self._patience.limit(self._connection):
            piece = self._read(min(size, self._most))
        quick = self._patience.monotonic() - begun < QUICK_SECONDS
        self._most = min(2 * self._most, LARGEST_PIECE) if quick else SMALLEST_PIECE
        return piece


class Line:
    """A body of known length, straight from gunicorn's connection.

    Its own way there copies each byte six times (measured: more than half of what it costs to
    take a piece of half a megabyte) and hands nothing on before all that was asked for is there.
    """

    def __init__(self, reader: LengthReader) -> None:
        self._reader = reader

    def read(self, size: int) -> bytes:
        """What has come, of 8 KiB and more; less at the end of the body or of the connection."""
        gathered = b""
        with suppress(OSError):  # a reset ends a body like a cut: what came before it counts
            while len(gathered) < min(size, SMALLEST_PIECE):
                piece = self._take(size - len(gathered))
                if not piece:
                    break
                gathered += piece
        return gathered

    def _take(self, size: int) -> bytes:
        reader = self._reader
        wanted = min(size, reader.length)
        if not wanted:
            return b""
        piece: bytes = reader.unreader.read(None, read_ahead=wanted)
        if len(piece) > wanted:  # the next request, sent before this one is answered
            reader.unreader.unread(piece[wanted:])
            piece = piece[:wanted]
        reader.length -= len(piece)
        return piece


def install(app: Flask) -> None:
    """Every body that ``app`` reads from a real connection, and every answer, has its time."""
    own: Services = app.extensions["fieldstamp"]
    patience = Patience(seconds=own.settings.silence_seconds, monotonic=own.clock.monotonic)

    def watch_body() -> None:
        connection = connection_of(request)
        if connection is not None:
            patience.forget(connection)
            stream = request.environ["wsgi.input"]
            request.environ["wsgi.input"] = PatientInput(stream, connection, patience)

    def watch_answer(answer: Response) -> Response:
        connection = connection_of(request)
        if connection is not None:
            patience.answer(connection)
        return answer

    app.before_request(watch_body)
    app.after_request(watch_answer)
