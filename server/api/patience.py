"""Ends reads that take too long: a thread that waits for a slow client is lost to all others.

The time limit of a socket does not do it: it begins anew with every byte, so that one byte at a
time holds a thread for ever, and what was gathered when it strikes is lost.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from flask import Flask, Request, request
from gunicorn.http.body import LengthReader

from server.services import Services

LOOK_SECONDS = 1.0
SMALLEST_PIECE, LARGEST_PIECE = 8 * 1024, 256 * 1024
QUICK_SECONDS = 0.05


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


class Patience:
    """Watches the reads of one process, in a thread that begins with the first of them."""

    def __init__(self, *, seconds: float, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self._seconds = seconds
        self._reads: dict[int, tuple[float, socket.socket]] = {}
        self._changing = threading.Lock()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def limit(self, connection: socket.socket) -> Iterator[None]:
        """What is read from ``connection`` meanwhile ends when patience does."""
        with self._changing:
            self._reads[id(connection)] = (self.monotonic() + self._seconds, connection)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="patience", daemon=True)
                self._watcher.start()
        try:
            yield
        finally:
            with self._changing:
                self._reads.pop(id(connection), None)

    def _watch(self) -> None:
        tick = threading.Event()
        while not tick.wait(LOOK_SECONDS):
            now = self.monotonic()
            with self._changing:  # so that no connection is shut whose read has just ended
                for due, connection in self._reads.values():
                    if due <= now:
                        stop_reading(connection)


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
    """Every body that ``app`` reads from a real connection is read with patience."""
    own: Services = app.extensions["fieldstamp"]
    patience = Patience(seconds=own.settings.silence_seconds, monotonic=own.clock.monotonic)

    def watch_body() -> None:
        connection = connection_of(request)
        if connection is not None:
            stream = request.environ["wsgi.input"]
            request.environ["wsgi.input"] = PatientInput(stream, connection, patience)

    app.before_request(watch_body)
