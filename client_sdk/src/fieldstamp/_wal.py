"""What a save that failed at its flush leaves in SQLite's WAL. Knows two numbers of its file format
(sqlite.org/walformat.html).
"""

import os
from pathlib import Path
from struct import Struct

_HEADER, _FRAME_HEADER = 32, 24
_INDEX = Struct("=14xHI")
_LARGEST_PAGE = 65536
"""Is written as 1."""

_kept: dict[tuple[int, int], int] = {}
"""Device and number of a wal-index → its descriptor: to close one would drop every lock that SQLite
has on the file."""


def wal_of(store: Path) -> Path:
    """The WAL of a store, if it has one."""
    return store.with_name(f"{store.name}-wal")


def cut_off_failed(store: Path) -> None:
    """P1: removes the frames behind the last save; for who holds the writer's lock.

    A flush that comes after one that failed does not bring them to the disk. Who comes after a
    killed process would take them for saved and save behind them, and a flat battery would take
    both. Raises OSError.
    """
    if not hasattr(os, "pread"):
        return
    index = store.with_name(f"{store.name}-shm")
    size, frames = _INDEX.unpack(os.pread(_opened(index), _INDEX.size, 0))
    page = _LARGEST_PAGE if size == 1 else size
    with wal_of(store).open("r+b") as file:
        file.truncate(_HEADER + frames * (_FRAME_HEADER + page))


def _opened(index: Path) -> int:
    seen = index.stat()
    name = (seen.st_dev, seen.st_ino)
    if name not in _kept:
        _kept[name] = os.open(index, os.O_RDONLY)
    return _kept[name]
