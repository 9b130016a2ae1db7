"""The blob store and the part files on a real disk."""

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from server.media.blobs import Placed, WrongHash
from server.media.disk import DiskBlobs
from server.media.parts import PartFiles

CONTENT = b"a photograph" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> DiskBlobs:
    return DiskBlobs(tmp_path / "blobs")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_m2_a_blob_is_named_by_the_hash_of_its_bytes(blobs: DiskBlobs, source: Path) -> None:
    assert blobs.put_if_absent(source, sha256=SHA256) == Placed(SHA256, len(CONTENT))
    assert blobs.head(SHA256) == len(CONTENT)
    with blobs.open_range(SHA256) as file:
        assert file.read() == CONTENT


def test_m2_bytes_with_another_hash_are_not_taken(
    blobs: DiskBlobs, source: Path, tmp_path: Path
) -> None:
    wrong = "0" * 64
    assert blobs.put_if_absent(source, sha256=wrong) == WrongHash(SHA256)
    assert blobs.head(wrong) is None
    assert files_below(tmp_path / "blobs") == []


def test_m3_a_writer_that_still_holds_the_source_cannot_change_the_blob(
    blobs: DiskBlobs, source: Path
) -> None:
    ghost = os.open(source, os.O_WRONLY)
    blobs.put_if_absent(source, sha256=SHA256)
    os.pwrite(ghost, b"forged", 0)
    os.close(ghost)
    with blobs.open_range(SHA256) as file:
        assert file.read() == CONTENT


def test_m3_the_same_bytes_twice_and_at_once_are_one_blob(
    blobs: DiskBlobs, source: Path, tmp_path: Path
) -> None:
    threads = [
        threading.Thread(target=blobs.put_if_absent, args=(source,), kwargs={"sha256": SHA256})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in files_below(tmp_path / "blobs")] == [SHA256]


def test_m4_a_copy_that_rotted_is_replaced_when_the_bytes_come_again(
    blobs: DiskBlobs, source: Path, tmp_path: Path
) -> None:
    blobs.put_if_absent(source, sha256=SHA256)
    [stored] = files_below(tmp_path / "blobs")
    stored.chmod(0o600)
    stored.write_bytes(b"rotten")
    blobs.put_if_absent(source, sha256=SHA256)
    with blobs.open_range(SHA256) as file:
        assert file.read() == CONTENT


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "A" * 64, "0" * 63])
def test_a_name_that_is_no_hash_is_never_a_path(blobs: DiskBlobs, name: str) -> None:
    assert blobs.head(name) is None
    with pytest.raises(FileNotFoundError):
        blobs.open_range(name)


def test_a_part_file_is_written_at_its_place(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path)
    parts.create("one")
    with parts.open("one", place=0) as part:
        part.write(b"hello, ")
        part.sync()
    with parts.open("one", place=7) as part:
        part.write(b"world")
        part.sync()
        assert part.place == 12
    assert parts.path("one").read_bytes() == b"hello, world"


def test_m2_refused_bytes_are_kept_in_quarantine(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path)
    parts.create("one")
    parts.quarantine("one")
    parts.quarantine("one")
    assert parts.quarantined("one") is not None
    assert parts.list() == []


def test_m3_a_file_that_is_given_becomes_the_blob_itself(blobs: DiskBlobs, source: Path) -> None:
    assert blobs.put_if_absent(source, sha256=SHA256, given=True) == Placed(SHA256, len(CONTENT))
    assert blobs.path(SHA256).samefile(source)
    source.unlink()
    with blobs.open_range(SHA256) as file:
        assert file.read() == CONTENT


def test_m2_a_given_file_with_another_hash_is_not_taken(blobs: DiskBlobs, source: Path) -> None:
    wrong = "0" * 64
    assert blobs.put_if_absent(source, sha256=wrong, given=True) == WrongHash(SHA256)
    assert blobs.head(wrong) is None
    assert os.access(source, os.W_OK)


def test_m4_a_given_file_takes_the_place_of_a_copy_that_rotted(
    blobs: DiskBlobs, source: Path
) -> None:
    blobs.put_if_absent(source, sha256=SHA256)
    stored = blobs.path(SHA256)
    stored.chmod(0o600)
    stored.write_bytes(b"rotten")
    blobs.put_if_absent(source, sha256=SHA256, given=True)
    with blobs.open_range(SHA256) as file:
        assert file.read() == CONTENT


def test_a_given_file_of_another_disk_is_copied(
    blobs: DiskBlobs, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def refuse(one: Path, other: Path) -> None:
        if one == source:
            raise OSError(errno.EXDEV, "another disk")
        link(one, other)

    monkeypatch.setattr(os, "link", refuse)
    blobs.put_if_absent(source, sha256=SHA256, given=True)
    assert not blobs.path(SHA256).samefile(source)
    with blobs.open_range(SHA256) as file:
        assert file.read() == CONTENT
