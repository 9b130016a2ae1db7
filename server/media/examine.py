"""Looks inside a file in a process of its own, with little memory and little time.

What decodes is on the other side of a socket (``nursery.py``). A child that is killed by its
limits costs nothing but its result, and a nursery that died is replaced. Where none can be had
that is no verdict on the file: it stays unseen, and is tried again.
"""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import msgspec

from server.media.seen import Result, Unreadable

COMMAND = (sys.executable, "-P", "-m", "server.media.nursery")
MEMORY_BYTES = 1024**3
PATIENCE_SECONDS = 60
"""Longer than a child may live: an answer later than this will not come."""
TRIES = 2
ENVIRONMENT = {"PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
PIECE = 65_536
DECODER: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)
MOST_BYTES = 32 * 1024**2
"""Longer than any honest answer: two small JPEGs and a few numbers."""
LATE = Unreadable(content="unsupported", reason="time")
SENSELESS = Unreadable(content="damaged", reason="ended")


class Unavailable(OSError):
    """No limited process could be had."""


class _Late(Exception):
    """No answer came in time."""


class Examiner:
    """Hands files to a nursery, one at a time; starts it when it is first wanted."""

    def __init__(self, *, memory: int = MEMORY_BYTES, patience: float = PATIENCE_SECONDS) -> None:
        self.started = 0
        """Nurseries that were started so far."""
        self._memory = memory
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._desk: socket.socket | None = None
        self._owner = 0

    def examine(self, file: BinaryIO) -> Result:
        """What ``images.examine`` says of ``file`` (a real file), found out by a limited child.

        Raises ``Unavailable`` where no nursery lives long enough to answer.
        """
        with self._lock:
            for _try in range(TRIES):
                try:
                    return _read_answer(self._ask(file.fileno()))
                except _Late:
                    self._stop()
                    return LATE
                except OSError:
                    self._stop()
        raise Unavailable

    def close(self) -> None:
        """Ends the nursery; the next file starts another."""
        with self._lock:
            self._stop()

    def _ask(self, file: int) -> bytes:
        desk = self._open()
        mine, theirs = os.pipe()
        try:
            word = self._memory.to_bytes(8)
            socket.send_fds(desk, [word], [file, theirs])
            os.close(theirs)
            theirs = -1
            return self._read(mine)
        finally:
            os.close(mine)
            if theirs >= 0:
                os.close(theirs)

    def _read(self, pipe: int) -> bytes:
        answer = bytearray()
        while select.select([pipe], [], [], self._patience)[0]:
            piece = os.read(pipe, PIECE)
            answer += piece
            if not piece or len(answer) > MOST_BYTES:
                return bytes(answer)
        raise _Late

    def _open(self) -> socket.socket:
        if self._desk is None or self._owner != os.getpid():  # a fork must not share one
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with theirs:
                self._process = subprocess.Popen(
                    COMMAND,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=Path(sys.prefix),
                    env=ENVIRONMENT,
                    start_new_session=True,
                )
            self._desk, self._owner = ours, os.getpid()
            self.started += 1
        return self._desk

    def _stop(self) -> None:
        """Kills the nursery and whatever child it still has."""
        if self._desk is not None:
            self._desk.close()
        if self._process is not None and self._owner == os.getpid():
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._desk = self._process = None


def _read_answer(answer: bytes) -> Result:
    """What a child said. It has met a hostile file: nonsense is a verdict on that file.

    Raises ``Unavailable`` where nothing was said at all, which no file can bring about.
    """
    if not answer:
        raise Unavailable
    try:
        return DECODER.decode(answer)
    except msgspec.DecodeError:
        return SENSELESS


EXAMINER = Examiner()
"""The one of this process."""

atexit.register(EXAMINER.close)


def examine_apart(file: BinaryIO) -> Result:
    """What is in ``file`` (a real file), found out in a limited process."""
    return EXAMINER.examine(file)
