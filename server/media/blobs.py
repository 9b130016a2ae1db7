"""What a store of blobs can do. A blob's name is the SHA-256 of its bytes, and nothing else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class WrongHash:
    """The bytes are not those that were announced; ``sha256`` is what they are."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The bytes are durable under their hash."""

    sha256: str
    bytes: int


class BlobStore(Protocol):
    """Keeps blobs; every method may raise ``OSError`` when the store is out of order."""

    def put_if_absent(
        self, source: Path, *, sha256: str, given: bool = False, found: str | None = None
    ) -> Placed | WrongHash:
        """Copies ``source`` in, if its bytes hash to ``sha256``; durable when it returns (M2).

        Good bytes that are there already stay as they are (M3). Where ``source`` is ``given``,
        its bytes are on the disk and nobody writes them any more: a store may keep the file
        itself. ``found`` is their hash, where it was taken as they were written.
        """

    def open_range(self, sha256: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """The bytes from ``start`` up to, not including, ``stop``, as a stream to be closed.

        Raises ``FileNotFoundError`` for an unknown name.
        """

    def head(self, sha256: str) -> int | None:
        """How many bytes the blob has; None where there is no such blob."""

    def delete(self, sha256: str) -> None:
        """Frees the room of a blob; nothing happens where there is none."""

    def presign(self, sha256: str, *, name: str, lifetime: timedelta) -> str | None:
        """An address at which anybody may fetch this one blob, as the attachment ``name``.

        It works for ``lifetime``. None where the store serves nobody but this program.
        """

    def names(self) -> Iterator[str]:
        """Every blob that is here."""
