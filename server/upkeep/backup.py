"""Makes a backup of a store while it is at work: the database first, then what it names."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Engine

from server.clock import Clock, to_wire
from server.media.blobs import BlobStore
from server.media.disk import DiskBlobs, hash_file
from server.settings import Settings
from server.upkeep.dump import write_dump
from server.upkeep.manifest import BackupFault, FileList, Manifest, write_manifest

KEYS = ("secret.key", "server.key")
BLOBS, PICTURES = "blobs", "pictures"
MOST_REFUSALS = 3
"""After so many the bucket is asked no more: each of them may have taken its time."""


def create(
    engine: Engine,
    settings: Settings,
    clock: Clock,
    folder: Path,
    *,
    at_rest: BlobStore | None = None,
) -> Manifest:
    """Writes a backup into ``folder``, which must be new or empty; its manifest.

    Every photo of which the copied database says that it is here is copied after it, so that no
    row of a backup lacks its bytes; but for those that rest in the bucket ``at_rest``, which are
    looked for there. P6: a bucket that does not answer stops no backup; what was not found counts
    as missing. Raises :class:`BackupFault`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupFault(f"{folder} is not empty.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # it holds the keys of the server
    made_at = to_wire(clock.now())
    contents = write_dump(engine, folder)
    files = FileList(folder)
    _list_dump(folder, files)
    absent = _copy_blobs(settings.data / BLOBS, folder / BLOBS, contents.originals, files)
    missing = _missing(at_rest, absent)
    _copy_blobs(settings.data / PICTURES, folder / PICTURES, contents.pictures, files)
    _copy_keys(settings.data, folder, files)
    manifest = Manifest(
        made_at=made_at,
        database=engine.dialect.name,
        schema=contents.schema,
        store=contents.store,
        epoch=contents.epoch,
        counts=contents.counts,
        list_sha256=files.close(),
        files=files.files,
        bytes=files.bytes,
        resting=len(absent) - len(missing),
        missing=missing,
    )
    write_manifest(folder, manifest)
    return manifest


def _list_dump(folder: Path, files: FileList) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".copy", ".sqlite"}:
            files.add(path, _durable(path))


def _durable(path: Path) -> str:
    """The SHA-256 of ``path``, which has reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return hash_file(path)


def _copy_blobs(source: Path, target: Path, names: Iterable[str], files: FileList) -> list[str]:
    """Copies the blobs; the names of those that are not there."""
    blobs, missing = DiskBlobs(source), []
    for name in sorted(set(names)):
        place = target / name[:2] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            blobs.copy_to(name, place)
        except FileNotFoundError:
            missing.append(name)
        else:
            files.add(place, name)  # M2: its name is its hash, and `check` takes it again
    return missing


def _missing(at_rest: BlobStore | None, names: Iterable[str]) -> list[str]:
    missing, left = [], MOST_REFUSALS
    for name in names:
        found = None
        if at_rest is not None and left:
            try:
                found = at_rest.head(name)
            except OSError:
                left -= 1
        if found is None:
            missing.append(name)
    return missing


def _copy_keys(source: Path, folder: Path, files: FileList) -> None:
    (folder / "keys").mkdir()
    for name in KEYS:
        target = folder / "keys" / name
        shutil.copy(source / name, target)
        target.chmod(0o600)
        files.add(target, _durable(target))
