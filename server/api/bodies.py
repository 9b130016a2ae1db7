"""Reads the bodies of uploads: in pieces, as far as they come, and in limited number."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Flask, Request, current_app

from server.api.patience import LARGEST_PIECE, connection_of, stop_reading
from server.errors import Problem

REFUSED_RETRY_SECONDS = 10
SLOTS = "fieldstamp_upload_slots"


def install_slots(app: Flask, slots: int) -> None:
    """Lets at most ``slots`` uploads of this process wait for bytes at once."""
    app.extensions[SLOTS] = threading.BoundedSemaphore(slots)


@contextmanager
def upload_slot(request: Request) -> Iterator[None]:
    """One of the slots. *Raises* ``unavailable`` at once where all are taken."""
    slots: threading.BoundedSemaphore = current_app.extensions[SLOTS]
    if not slots.acquire(blocking=False):
        stop_reading(connection_of(request))
        raise Problem("unavailable", retry_after=REFUSED_RETRY_SECONDS)
    try:
        yield
    finally:
        slots.release()


class Body:
    """The body of one request, to be read once; ``complete`` says whether all of it came,
    ``is_ended`` whether a newer request made an end to it.

    A cut, a reset or silence ends the pieces early and is no exception: what came is worth
    keeping. An end of stream alone proves nothing, so bytes are counted.
    """

    def __init__(self, request: Request, *, limit: int) -> None:
        self.complete = False
        self.is_ended = False
        self._connection = connection_of(request)
        self._limit = limit
        self._broken = False
        self._stream = request.environ["wsgi.input"]
        chunked = bool(request.environ.get("wsgi.input_terminated"))
        self._left = request.content_length if chunked else request.content_length or 0

    def pieces(self) -> Iterator[bytes]:
        """The bytes as they come. *Raises* ``too_large`` for more than ``limit``."""
        while self._left != 0 and not self._broken:
            wanted = LARGEST_PIECE if self._left is None else min(LARGEST_PIECE, self._left)
            piece = self._read(wanted)
            if not piece:
                break
            self._count(piece)
            yield piece
        self.complete = not self._left and not self._broken

    def end(self) -> None:
        """Lets no more of it come; called from the thread of the request that goes on instead."""
        self.is_ended = True
        stop_reading(self._connection)

    def _read(self, size: int) -> bytes:
        """After a reset, or chunks that make no sense, once more: what was gathered before."""
        with suppress(Exception):
            return bytes(self._stream.read(size))
        self._broken = True
        with suppress(Exception):
            return bytes(self._stream.read(size))
        return b""

    def _count(self, piece: bytes) -> None:
        if self._left is not None:
            self._left -= len(piece)
        self._limit -= len(piece)
        if self._limit < 0:
            raise Problem("too_large")
