"""Looks inside a file in a process of its own, with little memory and little time.

``python -m server.media.examine`` reads the file on its standard input and writes the result on
its standard output; it is given no path, no setting and no connection.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from server.media.images import Picture, Unreadable, examine

MEMORY_BYTES = 1024**3
CPU_SECONDS = 20
WALL_SECONDS = 40
MODULE = "server.media.examine"
CHILD_ENVIRONMENT = {"PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "2"}
Result = Picture | Unreadable
DECODER: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)


def examine_apart(file: BinaryIO) -> Result:
    """What ``images.examine`` says of ``file`` (a real file), found out by a limited child.

    A child that is killed by its limits costs nothing but this result.
    """
    command = [sys.executable, "-P", "-m", MODULE]
    try:
        done = subprocess.run(
            command,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WALL_SECONDS,
            cwd=Path(sys.prefix),
            env=CHILD_ENVIRONMENT,
            check=True,
        )
        return DECODER.decode(done.stdout)
    except (subprocess.SubprocessError, msgspec.DecodeError):
        return Unreadable(content="unsupported", reason="limits")


def main() -> None:
    """Limits this process, then examines its standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(0, "rb", closefd=False) as file:
        result = examine(file)
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))


if __name__ == "__main__":
    main()
