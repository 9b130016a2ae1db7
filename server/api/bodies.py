"""Reads the long bodies of uploads: in small pieces, with a time limit, in limited number.

A server thread that waits for a silent client is lost to everybody else, so every read here ends.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Flask, Request, current_app

from server.errors import Problem
from server.services import services

PIECE_BYTES = 8 * 1024
REFUSED_RETRY_SECONDS = 10
SLOTS = "fieldstamp_upload_slots"


def install_slots(app: Flask, slots: int) -> None:
    """Lets at most ``slots`` uploads of this process wait for bytes at once."""
    app.extensions[SLOTS] = threading.BoundedSemaphore(slots)


def _connection(request: Request) -> socket.socket | None:
    """The client's socket, where the server hands it out (gunicorn does)."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, socket.socket) else None


def stop_reading(request: Request) -> None:
    """Shuts the read side, so that the server does not drain what the client still sends."""
    connection = _connection(request)
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


@contextmanager
def upload_slot(request: Request) -> Iterator[None]:
    """One of the slots. *Raises* ``unavailable`` at once where all are taken."""
    slots: threading.BoundedSemaphore = current_app.extensions[SLOTS]
    if not slots.acquire(blocking=False):
        stop_reading(request)
        raise Problem("unavailable", retry_after=REFUSED_RETRY_SECONDS)
    try:
        yield
    finally:
        slots.release()


class Body:
    """The body of one request, to be read once; ``complete`` says whether all of it came.

    A cut, a reset or silence ends the pieces early and is no exception: what came is worth
    keeping. An end of stream alone proves nothing, so bytes are counted.
    """

    def __init__(self, request: Request, *, limit: int) -> None:
        self.complete = False
        self._limit = limit
        self._silence = services().settings.silence_seconds
        self._stream = request.environ["wsgi.input"]
        self._expected = request.content_length
        self._chunked = bool(request.environ.get("wsgi.input_terminated"))
        self._connection = _connection(request)

    def pieces(self) -> Iterator[bytes]:
        """The bytes as they come. *Raises* ``too_large`` for more than ``limit``."""
        if self._connection is None:
            yield from self._read()
            return
        usual = self._connection.gettimeout()
        self._connection.settimeout(self._silence)
        try:
            yield from self._read()
        finally:
            with suppress(OSError):
                self._connection.settimeout(usual)

    def _read(self) -> Iterator[bytes]:
        if self._expected is None and not self._chunked:
            self.complete = True
            return
        left = self._expected
        with suppress(OSError):  # reset, silence, a chunk that never ended
            while left != 0:
                piece = self._stream.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
                if not piece:
                    break
                left = None if left is None else left - len(piece)
                self._count(piece)
                yield piece
            self.complete = not left

    def _count(self, piece: bytes) -> None:
        self._limit -= len(piece)
        if self._limit < 0:
            raise Problem("too_large")
