"""What a save that was cut short leaves beside the store, and what clears it."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldstamp import StoreBusyError, StoreError
from fieldstamp._system import SystemDisk
from tests.sdk.conftest import Opener


class CutShort(SystemDisk):
    """Ends a save before or after its bytes have their name."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self.named = named

    def publish(self, part: Path, final: Path) -> None:
        if self.named:
            super().publish(part, final)
        raise OSError(errno.EIO, "the phone went off")


class Meanwhile(SystemDisk):
    """Does something else once bytes have their name, and before any record names them."""

    act: Callable[[], None]

    def publish(self, part: Path, final: Path) -> None:
        super().publish(part, final)
        self.act()


def kept_beside(store: Path) -> list[bytes]:
    folder = store.with_name(f"{store.name}.blobs")
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("named", [False, True])
def test_p6_what_a_save_left_that_was_cut_short_goes_and_nothing_else_does(
    open_client: Opener, tmp_path: Path, named: bool
) -> None:
    client = open_client()
    client.enrol("CODE")
    visit = client.create("visit", {"purpose": "routine"})
    photo = client.attach(visit, b"photo", preview=b"small")
    with pytest.raises(StoreError, match="went off"):
        open_client(disk=CutShort(named=named)).attach(visit, b"cut short")
    assert kept_beside(tmp_path / "field.db") == [b"cut short", b"photo", b"small"]
    assert client.free_originals() == len(b"cut short")
    assert kept_beside(tmp_path / "field.db") == [b"photo", b"small"]
    assert client.original(photo.id) == b"photo"
    assert client.free_originals() == 0


def test_p6_bytes_that_a_record_is_about_to_name_are_cleared_by_nobody(
    open_client: Opener,
) -> None:
    disk = Meanwhile()
    client, other = open_client(disk=disk), open_client()
    client.enrol("CODE")
    visit = client.create("visit", {"purpose": "routine"})
    other._store._connection.execute("PRAGMA busy_timeout = 0")

    def clear() -> None:
        with pytest.raises(StoreBusyError):
            other.free_originals()

    disk.act = clear
    photo = client.attach(visit, b"photo")
    assert other.free_originals() == 0
    assert other.original(photo.id) == b"photo"
