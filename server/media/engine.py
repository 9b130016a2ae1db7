"""What the functions of this room share besides a session, as one frozen value. No rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from server.clock import Clock
from server.ids import IdMaker
from server.media.blobs import BlobStore
from server.media.disk import DiskBlobs
from server.media.hashing import RunningHashes
from server.media.parts import PartFiles
from server.media.resting import RestingBlobs
from server.media.s3 import Bucket, open_bucket
from server.media.similarity_scan import PrintMatrix
from server.media.together import Together
from server.media.turns import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one user may have under way at once, and for how long."""

    upload_bytes: int
    """Longest upload."""
    open_uploads: int
    open_bytes: int
    lifetime: timedelta = timedelta(days=7)
    """An unfinished upload expires so long after its last byte; the device keeps the original."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The stores and limits of one installation."""

    parts: PartFiles
    originals: BlobStore
    """Where every original is found, at hand or at rest."""
    disk: DiskBlobs
    """Where originals land."""
    pictures: DiskBlobs
    """Previews and thumbnails: derived, can be made again."""
    clock: Clock
    ids: IdMaker
    limits: Limits
    wake: Callable[[str], object]
    """Hints, after the commit, that the blob with this hash can be looked into; may be lost."""
    turns: Turns
    """Bytes come in on hundreds of threads, which write to the store together."""
    hashes: RunningHashes = field(default_factory=RunningHashes)
    telling: Together = field(default_factory=Together)
    """Whoever brings the last byte of a photo has its record told; many at once, once for all."""
    prints: PrintMatrix = field(default_factory=PrintMatrix)
    """What this process has read of the hashes of pictures; filled when it first compares."""


def wake_nobody(_sha256: str) -> None:
    """The hint of an installation without a worker process: its sweep finds the work."""


def open_media(
    folder: Path,
    *,
    clock: Clock,
    ids: IdMaker,
    limits: Limits,
    wake: Callable[[str], object] = wake_nobody,
    bucket: Bucket | None = None,
) -> Media:
    """The media engine whose files lie below ``folder``; originals come to rest in ``bucket``."""
    disk = DiskBlobs(folder / "blobs")
    return Media(
        parts=PartFiles(folder / "uploads"),
        turns=Turns(folder / "uploads"),
        originals=RestingBlobs(disk, open_bucket(bucket)) if bucket else disk,
        disk=disk,
        pictures=DiskBlobs(folder / "pictures"),
        clock=clock,
        ids=ids,
        limits=limits,
        wake=wake,
    )
