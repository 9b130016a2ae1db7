"""The limited side of examining: one child of this process per file, and nothing survives it.

``python -P -m server.media.nursery`` loads the codecs once and then waits on the socket that is
its standard input. With each message come two descriptors: a file to read and a pipe to answer
on. It forks; the child gives itself little memory and little time, answers and ends. So what a
hostile file does to a decoder ends with that file. No path, setting or connection comes here.
"""

import gc
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

import msgspec

from server.media.images import examine, warm_up
from server.media.seen import Result, Unreadable

CPU_SECONDS = 20
"""Processor time that one file may take."""
WALL_SECONDS = 40
MEMORY_BYTES = 1024**3
"""Address space of a child, with the codecs that it shares with its parent."""
KILLED = {
    signal.SIGXCPU: Unreadable(content="unsupported", reason="time"),
    signal.SIGALRM: Unreadable(content="unsupported", reason="time"),
}
ENDED = Unreadable(content="damaged", reason="ended")
"""A decoder that crashes does so on a file that is not what it should be."""


def main() -> None:
    """Serves until the other end of standard input is closed."""
    warm_up()
    gc.collect()
    gc.freeze()  # what was loaded is shared with every child, as long as nobody writes to it
    with socket.socket(fileno=os.dup(0)) as desk:
        while True:
            word, descriptors, _flags, _address = socket.recv_fds(desk, 8, 2)
            if not word:
                return
            file, answer = descriptors
            _serve(desk, file, answer, memory=int.from_bytes(word))


def _serve(desk: socket.socket, file: int, answer: int, *, memory: int) -> None:
    """One child for one file; says itself what a child did not live to say."""
    child = os.fork()
    if child == 0:
        desk.close()
        os.close(0)
        _live(file, answer, memory)
    os.close(file)
    _pid, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        told = KILLED.get(signal.Signals(os.WTERMSIG(status))) if os.WIFSIGNALED(status) else None
        with suppress(OSError):  # whoever asked has heard enough
            _tell(answer, told or ENDED)
    os.close(answer)


def _live(file: int, answer: int, memory: int) -> None:
    """All that a child does. Never returns."""
    status = 1
    try:
        _limit(memory)
        with os.fdopen(file, "rb") as opened:
            opened.seek(0)
            _tell(answer, examine(opened))
        status = 0
    except MemoryError:
        _tell(answer, Unreadable(content="unsupported", reason="memory"))
        status = 0
    finally:
        os._exit(status)


def _limit(memory: int) -> None:
    """Little memory, little time, no core dump; no other file is opened, none is written."""
    if sys.platform == "linux":  # other systems know no limit of address space
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)


def _tell(answer: int, result: Result) -> None:
    left = memoryview(msgspec.msgpack.encode(result))
    while left:
        left = left[os.write(answer, left) :]


if __name__ == "__main__":
    main()
