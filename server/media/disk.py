"""A store of blobs on a local disk.

Everything that these classes call done has reached the disk: file first, then its folder.
"""

import hashlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from server.durable import sync_path
from server.media.blobs import SHA256, Placed, WrongHash

COPY_BYTES = 1024 * 1024


def read_pieces(file: BinaryIO) -> Iterator[bytes]:
    """The rest of ``file`` in pieces that fit into memory."""
    while piece := file.read(COPY_BYTES):
        yield piece


def hash_file(path: Path) -> str:
    """SHA-256 of the bytes of ``path``, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_pieces(pieces: Iterable[bytes]) -> str:
    """SHA-256 of the bytes in ``pieces``, lower-case hex."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


class Stretch(io.RawIOBase):
    """A part of a file, as a stream of its own."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills ``buffer`` as far as the part goes."""
        piece = self._file.read(min(len(buffer), self._left))
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that a killed process was writing; it never became a blob."""

    path: Path
    bytes: int
    since: datetime


class DiskBlobs:
    """A :class:`server.media.blobs.BlobStore` below ``root``, two levels of 256 folders deep."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        sync_path(root.parent)  # M4: nothing else brings the name of this folder to the disk

    def put_if_absent(
        self, source: Path, *, sha256: str, given: bool = False, found: str | None = None
    ) -> Placed | WrongHash:
        """Copies ``source`` in, if its bytes hash to ``sha256``; durable when it returns.

        M3: a copy, because somebody may still write to ``source``; the hash is taken of the bytes
        as they are copied. A file that is ``given`` gets a second name instead, where the disk
        knows such.
        """
        if given:
            found, size = found or hash_file(source), source.stat().st_size
            if found != sha256:
                return WrongHash(found)
            with suppress(OSError):  # another disk, or one without links
                self._place(source, self.path(sha256))
                self.path(sha256).chmod(0o440)
                return Placed(sha256, size)
        with source.open("rb") as file:
            return self._put(read_pieces(file), sha256)

    def put_bytes(self, content: bytes) -> Placed:
        """Keeps ``content`` under its own hash; durable when it returns."""
        placed = self._put([content], hashlib.sha256(content).hexdigest())
        if isinstance(placed, WrongHash):
            raise OSError("the disk gave back other bytes than were written")
        return placed

    def open_range(self, sha256: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """A real file where no end is given, so that the system can send or limit it."""
        file = self.path(sha256).open("rb")
        file.seek(start)
        if stop is None:
            return file
        return cast("BinaryIO", io.BufferedReader(Stretch(file, max(stop - start, 0))))

    def head(self, sha256: str) -> int | None:
        """How many bytes the blob has; None where there is no such blob."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        """Removes the file; a crash may bring it back."""
        with suppress(FileNotFoundError):
            self.path(sha256).unlink()

    def presign(self, sha256: str, *, name: str, lifetime: timedelta) -> None:
        """None: a disk serves nobody by itself."""

    def names(self) -> Iterator[str]:
        """Every blob that is here, in the order of the names."""
        for folder in sorted(self._root.glob("??/??")):
            yield from sorted(path.name for path in folder.iterdir())

    def leftovers(self) -> Iterator[Leftover]:
        """Files that somebody is writing, or was."""
        for path in sorted(self._incoming.iterdir()):
            with suppress(FileNotFoundError):
                seen = path.stat()
                since = datetime.fromtimestamp(seen.st_mtime, UTC)
                yield Leftover(path, seen.st_size, since)

    def copy_to(self, sha256: str, target: Path) -> None:
        """Makes ``target`` the same blob, on the same disk without using room (M3).

        Raises ``FileNotFoundError`` for an unknown name; ``target`` must not exist.
        """
        try:
            os.link(self.path(sha256), target)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one without links
            with self.open_range(sha256) as file:
                self._write(target, read_pieces(file))

    def path(self, sha256: str) -> Path:
        """Where the blob is, if it is. Raises ``FileNotFoundError`` for what is no hash."""
        if not SHA256.fullmatch(sha256):
            raise FileNotFoundError("not the name of a blob")
        return self._root / sha256[:2] / sha256[2:4] / sha256

    def _put(self, pieces: Iterable[bytes], sha256: str) -> Placed | WrongHash:
        fresh = self._incoming / secrets.token_hex(16)
        try:
            found, size = self._write(fresh, pieces)
            if found != sha256:
                return WrongHash(found)
            self._place(fresh, self.path(sha256))
            return Placed(found, size)
        finally:
            fresh.unlink(missing_ok=True)

    @staticmethod
    def _write(fresh: Path, pieces: Iterable[bytes]) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440), "wb") as file:
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest(), size

    def _place(self, fresh: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(fresh, target)
        except FileExistsError:
            # M4: the older copy is vouched for anew; one that rotted gives way to the good one.
            if hash_file(target) != target.name:
                fresh.replace(target)
        for folder in (target.parent, target.parent.parent, self._root):
            sync_path(folder)
