"""Brings files, and the names in a folder, to the disk. Knows nothing else of the server."""

import os
from pathlib import Path


def sync_path(path: Path) -> None:
    """Returns when the bytes of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
