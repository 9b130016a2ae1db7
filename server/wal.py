"""What a commit whose sync failed leaves in SQLite's WAL. Knows two numbers of its file format
(sqlite.org/walformat.html) and nothing of the server.
"""

import os
from pathlib import Path
from struct import Struct
from threading import Lock

HEADER, FRAME_HEADER = 32, 24
"""Bytes of a WAL before its first frame, and of a frame before its page."""
INDEX = Struct("=14xHI")
"""Of the wal-index: the size of a page, and how many frames of the WAL are committed."""
LARGEST_PAGE = 65536
"""Is written as 1."""

_turn = Lock()
_kept: set[int] = set()
"""Descriptors of wal-indexes: to close one would drop every lock that SQLite has on the file."""


def cut_off_failed(database: Path) -> None:
    """P3: removes the frames behind the last commit; for who holds the writer's lock.

    Where a sync has failed, the system has forgotten that they must still be written, and does not
    do so at a later sync. Who comes after a killed process would take them for committed and write
    behind them, and a power cut would take both. Raises ``OSError``.
    """
    wal, index = (database.with_name(database.name + ending) for ending in ("-wal", "-shm"))
    if not wal.exists() or not index.exists():
        return
    with _turn:
        size, frames = INDEX.unpack(os.pread(_opened(index), INDEX.size, 0))
    page = LARGEST_PAGE if size == 1 else size
    with wal.open("r+b") as file:
        file.truncate(HEADER + frames * (FRAME_HEADER + page))


def _opened(index: Path) -> int:
    wanted = index.stat()
    for descriptor in tuple(_kept):
        seen = os.fstat(descriptor)
        if os.path.samestat(seen, wanted):
            return descriptor
        if seen.st_nlink == 0:
            _kept.discard(descriptor)
            os.close(descriptor)
    descriptor = os.open(index, os.O_RDONLY)
    _kept.add(descriptor)
    return descriptor
