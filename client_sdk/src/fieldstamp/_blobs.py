"""Photo, signature and other bytes beside the store, each named by its SHA-256 (M2).

Bytes are durable before anything that names them is saved, and they go when nothing names them.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path

from fieldstamp._errors import of_the_disk
from fieldstamp._ports import Disk
from fieldstamp._wire import sha256_hex

_PIECE = 1024 * 1024
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftyphev", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp3g", "video/3gpp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
)


class Blobs:
    """The folder of one store's bytes."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    def keep(self, content: bytes) -> str:
        """Makes ``content`` durable and returns its SHA-256 (hex). Raises StoreError."""
        name = sha256_hex(content)
        final = self._path(name)
        try:
            self._disk.make_folder(self._folder)
            self._disk.make_folder(final.parent)
            self._place(content, final)
        except OSError as error:
            raise of_the_disk(error) from error
        return name

    def is_whole(self, name: str) -> bool:
        """Whether the bytes are here, can be read, and still have their hash."""
        try:
            return self.is_here(name) and self._sum(name) == name
        except OSError:  # P8: a file that the disk does not give back stops nothing but itself
            return False

    def _sum(self, name: str) -> str:
        """P8: piece by piece, since a film may be larger than the memory."""
        found, offset = hashlib.sha256(), 0
        while piece := self.piece(name, offset=offset, size=_PIECE):
            found.update(piece)
            offset += len(piece)
        return found.hexdigest()

    def piece(self, name: str, *, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        return self._disk.read(self._path(name), offset=offset, size=size)

    def is_here(self, name: str) -> bool:
        """Whether there are bytes of that name on this device."""
        return self._disk.exists(self._path(name))

    def free(self, name: str) -> None:
        """Gives the space of a blob back."""
        self._removed(self._path(name))

    def clear(self, named: Collection[str]) -> int:
        """Removes what is not ``named``, and parts of it; returns how many bytes that were.

        P6: only for who holds the writer's lock of the store, within which all bytes are kept that
        a row is going to name. So this is what was let go, or what a save left that was cut short.
        """
        found = self._disk.files(self._folder)
        gone = [(path, size) for path, size in found if path.name not in named]
        return sum(size for path, size in gone if self._removed(path))

    def _removed(self, path: Path) -> bool:
        """P8: what another program has open, on Windows, goes another time and keeps nothing."""
        try:
            self._disk.remove(path)
        except OSError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """All bytes of a blob. Raises StoreError where the disk does not give them back."""
        try:
            return self._disk.read(self._path(name))
        except OSError as error:
            raise of_the_disk(error) from error

    def _place(self, content: bytes, final: Path) -> None:
        """P6: published even where the bytes are here, since a killed save may have left them
        under a name that has not reached the disk."""
        part = final.with_suffix(".part")
        self._disk.write_new(part, content)
        if self._disk.exists(final) and not self.is_whole(final.name):
            self._disk.replace(part, final)
        else:
            self._disk.publish(part, final)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


def type_of(content: bytes) -> str:
    """The media type that the first bytes show."""
    for offset, mark, name in _SIGNATURES:
        if content[offset : offset + len(mark)] == mark:
            return name
    return "application/octet-stream"
