"""Brings files, and the names in a folder, to the disk. Knows nothing else of the server."""

import os
from pathlib import Path

CHUNK = 1024 * 1024


def sync_path(path: Path) -> None:
    """Returns when the bytes of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_again(path: Path) -> None:
    """Writes the bytes of a file where they stand, and returns when they are on the disk.

    After a sync that failed they can be read and will never be written by themselves.
    """
    with path.open("r+b") as file:
        while piece := file.read(CHUNK):
            file.seek(-len(piece), os.SEEK_CUR)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
