"""What a backup says about itself: one manifest, and a list of files that `sha256sum -c` reads."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from server.durable import sync_path
from server.media.disk import hash_file

MANIFEST, LIST = "manifest.json", "files.sha256"
FORMAT = 1


class BackupFault(Exception):
    """Why there is no backup, or no restoring from it; the words are for an administrator."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A backup whose manifest is there is whole; it is written last."""

    format: int = FORMAT
    made_at: str
    """The server's time before the database was read."""
    database: str
    """``sqlite`` or ``postgresql``; a backup is restored into the same."""
    schema: str
    """The revision of the tables."""
    store: str
    """The first epoch, which all copies of a store share."""
    epoch: str
    counts: dict[str, int]
    """Rows by table."""
    files: int
    bytes: int
    list_sha256: str
    """SHA-256 of the list of files, which has that of every file."""
    resting: int = 0
    """Photos that rest in a bucket, and are not in the backup."""
    missing: list[str]
    """Photos that the database names and the disk did not have."""


class FileList:
    """The list of files as it grows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._list = (folder / LIST).open("w", encoding="utf-8")
        self.files = self.bytes = 0

    def add(self, path: Path, sha256: str) -> None:
        """Lists a file of the backup."""
        self._list.write(f"{sha256}  {path.relative_to(self._folder).as_posix()}\n")
        self.files += 1
        self.bytes += path.stat().st_size

    def close(self) -> str:
        """The SHA-256 of the finished list, which is on the disk."""
        self._list.flush()
        os.fsync(self._list.fileno())
        self._list.close()
        return hash_file(self._folder / LIST)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Puts the manifest in its place in one step, after all else has reached the disk."""
    for inner in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        sync_path(inner)
    fresh = folder / f"{MANIFEST}.new"
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / MANIFEST)
    sync_path(folder)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup. Raises :class:`BackupFault`."""
    try:
        content = (folder / MANIFEST).read_bytes()
        manifest = msgspec.json.decode(content, type=Manifest)
    except FileNotFoundError:
        raise BackupFault(f"{folder} is no backup, or one that was cut short.") from None
    except msgspec.MsgspecError as error:
        raise BackupFault(f"The manifest cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise BackupFault(
            f"The backup has the form {manifest.format}; this program reads {FORMAT}."
        )
    return manifest


def check(folder: Path) -> Manifest:
    """Hashes every file of a backup again; the manifest where all are as they were.

    Raises :class:`BackupFault` naming the files that are gone or have other bytes.
    """
    manifest = read_manifest(folder)
    if not (folder / LIST).exists() or hash_file(folder / LIST) != manifest.list_sha256:
        raise BackupFault(f"{LIST} is not the one that the manifest names.")
    wrong = [path for sha256, path in listed(folder) if not _is_sound(folder / path, sha256)]
    if wrong:
        raise BackupFault("Files are gone or changed: " + ", ".join(wrong[:20]))
    return manifest


def listed(folder: Path) -> Iterator[tuple[str, str]]:
    """(SHA-256, path) of every file of a backup."""
    with (folder / LIST).open(encoding="utf-8") as lines:
        for line in lines:
            sha256, _, path = line.rstrip("\n").partition("  ")
            yield sha256, path


def _is_sound(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_file(path) == sha256
