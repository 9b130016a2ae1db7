"""Part files: the bytes of uploads that are under way, and the quarantine of refused ones.

What these classes call done has reached the disk: file first, then its folder.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from server.durable import sync_path
from server.media.writers import Writers

PIECE = 1024 * 1024


class Part:
    """An open part file: bytes are written at a place, and durable after :meth:`sync`."""

    def __init__(self, descriptor: int, path: Path, place: int) -> None:
        self._descriptor = descriptor
        self._path = path
        self.place = place
        """Where the next byte goes."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in this file, also among processes; for as long as one write lasts."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def is_own(self) -> bool:
        """Whether this is the file of its upload, and is no blob: see :meth:`PartFiles.create`."""
        seen = os.fstat(self._descriptor)
        with suppress(FileNotFoundError):
            return seen.st_nlink == 1 and os.path.samestat(seen, self._path.stat())
        return False

    def write(self, content: bytes) -> None:
        """Adds ``content``; it may still be lost."""
        view = memoryview(content)
        while view:
            written = os.pwrite(self._descriptor, view, self.place)
            self.place += written
            view = view[written:]

    def cut(self) -> None:
        """Ends the file here: what a body that did not count left behind its end goes."""
        os.ftruncate(self._descriptor, self.place)

    def sync(self) -> None:
        """M1: brings all that was written to the disk."""
        os.fsync(self._descriptor)


class PartFiles:
    """Part files below ``root``, named by upload id, and the quarantine for refused bytes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._quarantine = root / "quarantine"
        self._quarantine.mkdir(parents=True, exist_ok=True)
        sync_path(root.parent)  # M1: nothing else brings the name of this folder to the disk
        self.writers = Writers(root)

    def path(self, upload: str) -> Path:
        """Where the bytes of ``upload`` are gathered."""
        return self._root / f"{upload}.part"

    def create(self, upload: str) -> None:
        """Makes the empty file; leaves one that exists as it is.

        M3: one that became a blob before a kill, without a row that says so, gives way.
        """
        path = self.path(upload)
        with suppress(FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            seen = os.fstat(file.fileno())
            if seen.st_nlink > 1 and os.path.samestat(seen, path.stat()):
                path.unlink()
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def sync_names(self) -> None:
        """M1: brings the names of the files that were created to the disk."""
        sync_path(self._root)

    @contextmanager
    def open(self, upload: str, *, place: int) -> Iterator[Part]:
        """Opens the file for writing from ``place`` on. Raises ``FileNotFoundError``."""
        path = self.path(upload)
        descriptor = os.open(path, os.O_WRONLY)
        try:
            yield Part(descriptor, path, place)
        finally:
            os.close(descriptor)

    def remove(self, upload: str) -> None:
        """Drops the file of an upload that is finished or has expired."""
        self.writers.forget(upload)
        self.path(upload).unlink(missing_ok=True)

    def quarantine(self, upload: str) -> None:
        """Sets aside the bytes of a refused upload; they are kept for a person to look at."""
        self.writers.forget(upload)
        with suppress(FileNotFoundError):
            self.path(upload).rename(self._quarantine / upload)
            sync_path(self._quarantine)
            sync_path(self._root)

    def quarantined(self, upload: str) -> Path | None:
        """Where the refused bytes of ``upload`` are, if they are."""
        path = self._quarantine / upload
        return path if path.exists() else None

    def changed_at(self, upload: str) -> datetime | None:
        """When its file was last written to; None where there is none any more."""
        try:
            return datetime.fromtimestamp(self.path(upload).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def holds(self, upload: str, size: int) -> bool:
        """Whether its file has so many bytes; M3: one that became a blob has none to go on with."""
        try:
            seen = self.path(upload).stat()
        except FileNotFoundError:
            return size == 0
        return seen.st_size >= size and seen.st_nlink == 1

    def is_readable(self, upload: str) -> bool:
        """P8: whether its bytes can be had from the disk, once reading or keeping them failed."""
        try:
            with self.path(upload).open("rb") as file:
                while file.read(PIECE):
                    continue
        except OSError as error:
            return error.errno not in {errno.ENOENT, errno.EIO}
        return True

    def list(self) -> list[str]:
        """Ids of the uploads that have left a file here."""
        return sorted({path.stem for path in self._root.iterdir() if path.is_file()})
