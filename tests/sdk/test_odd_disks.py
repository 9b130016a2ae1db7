"""File systems without links or locks, files that others have open, disks that wear out."""

import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path

import pytest

from fieldstamp import Client, Request, Response, UnknownRecordError
from fieldstamp._system import SystemDisk
from tests.sdk.conftest import Opener
from tests.sdk.office import Office, put

PHOTO = "01930000-0000-7000-8000-0000000000a1"


def picture(request: Request) -> Response | None:
    if not request.url.endswith("/preview"):
        return None
    named = {"etag": f'"{hashlib.sha256(b"small").hexdigest()}"', "content-type": "image/jpeg"}
    return Response(status=200, headers=named, body=b"small")


def photo_of(client: Client, content: bytes = b"a photo") -> str:
    visit = client.create("visit", {"purpose": "routine"})
    return client.attach(visit, content).id


@pytest.mark.parametrize("refused", [errno.EPERM, errno.EACCES, errno.ENOTSUP])
def test_p6_a_photo_is_saved_again_and_again_where_files_cannot_be_linked(
    client: Client, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    def link(_part: Path, _final: Path) -> None:
        raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(os, "link", link)
    first, second = photo_of(client), photo_of(client)
    assert client.original(first) == client.original(second) == b"a photo"
    assert client.sync().run().synced


@pytest.mark.parametrize("refused", [errno.EINVAL, errno.ENOTSUP])
def test_p6_a_photo_is_saved_where_folders_cannot_be_flushed(
    client: Client, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    flush = os.fsync

    def flush_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(refused, os.strerror(refused))
        flush(handle)

    monkeypatch.setattr(os, "fsync", flush_files)
    assert client.original(photo_of(client)) == b"a photo"


class Unreadable(SystemDisk):
    """Gives back a file whole, and no piece of it."""

    spoilt = True

    def read(self, path: Path, *, offset: int = 0, size: int = -1) -> bytes:
        if self.spoilt and size == 256 * 1024:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(path, offset=offset, size=size)


def test_p8_a_piece_that_cannot_be_read_stops_only_its_photo(
    open_client: Opener, office: Office
) -> None:
    disk = Unreadable()
    client = open_client(disk=disk)
    client.enrol("7K3M9QXD22")
    photo_of(client)
    report = client.sync().run()
    assert (report.synced, report.received, report.pending) == (False, 0, 1)
    assert client.outbox()[0].reason
    disk.spoilt = False
    assert client.sync().run().synced


class Held(SystemDisk):
    """Removes nothing that another program has open, as Windows does."""

    def remove(self, path: Path) -> None:
        if path.suffix == ".part":
            raise PermissionError(errno.EACCES, "used by another process")
        super().remove(path)


def test_p8_a_file_that_another_program_has_open_keeps_no_other_one(
    open_client: Opener, tmp_path: Path
) -> None:
    client = open_client(disk=Held())
    client.enrol("7K3M9QXD22")
    left = tmp_path / "field.db.blobs" / "aa"
    photo = photo_of(client)
    left.mkdir()
    (left / "aa.part").write_bytes(b"open elsewhere")
    (left / "ab").write_bytes(b"left over")
    assert client.free_originals() == len(b"left over")
    assert client.original(photo) == b"a photo"


class Dying(SystemDisk):
    """Takes nothing new any more."""

    worn = False

    def write_new(self, path: Path, content: bytes) -> None:
        if self.worn:
            raise OSError(errno.EIO, "Input/output error")
        super().write_new(path, content)


def test_p8_a_picture_that_the_disk_does_not_take_ends_no_sync_without_a_word(
    open_client: Opener, office: Office
) -> None:
    disk = Dying()
    client = open_client(disk=disk)
    client.enrol("7K3M9QXD22")
    office.pages = [{"items": [put(PHOTO, {"sha256": "0" * 64}, kind="photo")]}]
    assert client.sync().run().synced
    with pytest.raises(UnknownRecordError):
        client.preview(PHOTO)
    office.before.append(picture)
    disk.worn = True
    assert client.sync().run().reason == "store_unusable"
    assert not client.status().synced
    disk.worn = False
    assert client.sync().run().synced
    assert client.preview(PHOTO) == b"small"


class Narrow(SystemDisk):
    """A machine with little memory."""

    def read(self, path: Path, *, offset: int = 0, size: int = -1) -> bytes:
        content = super().read(path, offset=offset, size=size)
        if len(content) > 8 * 1024 * 1024:
            raise MemoryError
        return content


def test_p8_a_film_larger_than_the_memory_is_looked_at_in_pieces(
    open_client: Opener, office: Office
) -> None:
    client = open_client(disk=Narrow())
    client.enrol("7K3M9QXD22")
    photo_of(client, bytes(9 * 1024 * 1024))
    assert client.sync().run().synced


def test_p8_a_folder_that_takes_no_lock_file_is_told_and_raises_nothing(
    client: Client, tmp_path: Path
) -> None:
    (tmp_path / "field.db.lock").mkdir()
    report = client.sync().run()
    assert (report.synced, report.reason) == (False, "store_unusable")


def test_p8_a_file_system_without_locks_is_not_told_as_another_program(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert client.sync().run().reason == "store_unusable"
