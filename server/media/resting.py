"""Two stores as one: blobs land on the local disk, and rest in a bucket once they were moved."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from server.media.blobs import BlobStore, Placed, WrongHash
from server.media.disk import DiskBlobs


class RestingBlobs:
    """A :class:`server.media.blobs.BlobStore` that looks at hand first, then at rest."""

    def __init__(self, at_hand: DiskBlobs, at_rest: BlobStore) -> None:
        self.at_hand = at_hand
        self.at_rest = at_rest

    def put_if_absent(
        self, source: Path, *, sha256: str, given: bool = False, found: str | None = None
    ) -> Placed | WrongHash:
        """Keeps the bytes at hand; moving them is a task of its own."""
        return self.at_hand.put_if_absent(source, sha256=sha256, given=given, found=found)

    def open_range(self, sha256: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """The bytes from wherever they are."""
        try:
            return self.at_hand.open_range(sha256, start, stop)
        except FileNotFoundError:
            return self.at_rest.open_range(sha256, start, stop)

    def head(self, sha256: str) -> int | None:
        """How many bytes the blob has, wherever it is."""
        size = self.at_hand.head(sha256)
        return self.at_rest.head(sha256) if size is None else size

    def delete(self, sha256: str) -> None:
        """Frees the room in both."""
        self.at_rest.delete(sha256)
        self.at_hand.delete(sha256)

    def presign(self, sha256: str, *, name: str, lifetime: timedelta) -> str | None:
        """An address of the bucket for a blob that rests there alone."""
        if self.at_hand.head(sha256) is not None:
            return None
        return self.at_rest.presign(sha256, name=name, lifetime=lifetime)

    def names(self) -> Iterator[str]:
        """Every blob, once."""
        yield from sorted({*self.at_hand.names(), *self.at_rest.names()})
