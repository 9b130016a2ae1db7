"""What a store of blobs can do. A blob's name is the SHA-256 of its bytes, and nothing else."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


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
    """Keeps blobs for ever; every method may raise ``OSError`` when the store is out of order."""

    def put_file(self, source: Path, *, sha256: str) -> Placed | WrongHash:
        """Copies ``source`` in, if its bytes hash to ``sha256``; durable when it returns."""

    def put_bytes(self, content: bytes) -> Placed:
        """Keeps ``content`` under its own hash; durable when it returns."""

    def open(self, sha256: str) -> BinaryIO:
        """The bytes, seekable. Raises ``FileNotFoundError`` for an unknown name."""

    def size(self, sha256: str) -> int | None:
        """How many bytes the blob has; None where there is no such blob."""
