"""The disk beneath the simulation keeps what was synced, and nothing else for certain."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import fieldstamp._store as client_store
from server import db as server_store
from tests.simulation.disk import Crash, Disk, Machine, NoLibraryError, Verdict, let_go
from tests.simulation.disk_tree import SECTOR

LIBRARIES = {"server": server_store.sqlite, "client": vars(client_store)["sqlite3"]}
DICE = [Random(seed) for seed in range(60)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with an empty disk."""
    try:
        with Disk() as disk:
            yield disk.server(tmp_path)
    except NoLibraryError as error:
        pytest.skip(f"nothing can be put beneath this SQLite: {error}")


def put(path: Path, content: bytes, *, sync: bool = True, name: bool = True) -> None:
    """Writes a file anew, and syncs it and its name where that is asked for."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    if name:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Syncs the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def fates(machine: Machine, look: Callable[[], Any]) -> set[Any]:
    """Everything that ``look`` may find after the power went now."""
    moment, seen = machine.tree.copy(), set()
    for dice in DICE:
        machine.restart_from(moment, dice)
        seen.add(look())
    return seen


def test_a_write_without_a_sync_survives_whole_in_sectors_or_not_at_all(machine: Machine) -> None:
    path = machine.folder / "file"
    put(path, b"a" * 4 * SECTOR)
    with path.open("r+b") as file:
        file.write(b"b" * 4 * SECTOR)
    found = fates(machine, path.read_bytes)
    assert {b"a" * 4 * SECTOR, b"b" * 4 * SECTOR} <= found
    torn = {c for c in found if set(c) == set(b"ab")}
    assert torn
    assert all(len(set(c[n : n + SECTOR])) == 1 for c in torn for n in range(0, len(c), SECTOR))


def test_what_was_synced_under_a_synced_name_always_survives(machine: Machine) -> None:
    path = machine.folder / "file"
    put(path, b"kept")
    assert fates(machine, path.read_bytes) == {b"kept"}


def test_a_name_whose_folder_was_not_synced_may_be_lost(machine: Machine) -> None:
    path = machine.folder / "file"
    put(path, b"kept", name=False)
    assert fates(machine, path.exists) == {True, False}


def test_a_removed_name_whose_folder_was_not_synced_may_come_back(machine: Machine) -> None:
    path = machine.folder / "file"
    put(path, b"kept")
    path.unlink()
    assert fates(machine, lambda: path.exists() and path.read_bytes()) == {False, b"kept"}


def test_a_rename_is_done_or_not_and_never_half(machine: Machine) -> None:
    old, new = machine.folder / "old", machine.folder / "new"
    put(old, b"kept")
    old.rename(new)
    assert fates(machine, lambda: (old.exists(), new.exists())) == {(True, False), (False, True)}


def test_a_file_in_a_folder_that_is_lost_is_lost_with_it(machine: Machine) -> None:
    folder = machine.folder / "folder"
    folder.mkdir()
    put(folder / "file", b"kept")
    assert fates(machine, lambda: (folder.exists(), (folder / "file").exists())) == {
        (True, True),
        (False, False),
    }


def test_after_a_failed_sync_a_good_one_says_nothing_about_what_was_written_before(
    machine: Machine,
) -> None:
    path = machine.folder / "file"
    put(path, b"", name=True)
    with path.open("r+b", buffering=0) as file:
        file.write(b"one")
        machine.judge = lambda call: Verdict.BROKEN
        with pytest.raises(OSError, match="Input/output"):
            os.fsync(file.fileno())
        machine.judge = let_go
        file.write(b"two")
        os.fsync(file.fileno())
    assert {b"onetwo", b"\0\0\0two"} <= fates(machine, path.read_bytes)


def test_a_killed_process_loses_nothing_that_it_wrote(machine: Machine) -> None:
    path = machine.folder / "file"
    put(path, b"written", sync=False, name=False)
    machine.restart(None)
    assert path.read_bytes() == b"written"
    assert b"written" in (found := fates(machine, lambda: path.exists() and path.read_bytes()))
    assert found - {b"written"}, "it is on no disk yet"


def test_a_dead_machine_does_nothing_more(machine: Machine) -> None:
    machine.judge = lambda call: Verdict.DIES if call.number == 2 else Verdict.GO
    (machine.folder / "one").mkdir()
    for name in ("two", "three"):
        with pytest.raises(Crash):
            (machine.folder / name).mkdir()
    machine.restart(None)
    assert [path.name for path in machine.folder.iterdir()] == ["one"]


@pytest.mark.parametrize(
    ("verdict", "number"), [(Verdict.FULL, errno.ENOSPC), (Verdict.BROKEN, errno.EIO)]
)
def test_a_fault_is_told_as_the_system_tells_it(
    machine: Machine, verdict: Verdict, number: int
) -> None:
    machine.judge = lambda call: verdict
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        put(machine.folder / "file", b"x")
    assert caught.value.errno == number


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_the_layer_lies_beneath_the_library_that_is_used(machine: Machine, library: Any) -> None:
    connection = library.connect(machine.folder / "fieldstamp.sqlite", isolation_level=None)
    connection.execute("CREATE TABLE t (a)")
    assert {"server.store.create", "server.store.sync", "server.rollback.sync_folder"} <= set(
        machine.points
    )
    machine.judge = lambda call: Verdict.FULL if "write" in call.point else Verdict.GO
    with pytest.raises(library.OperationalError, match="full"):
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    machine.judge = let_go
    connection.execute("INSERT INTO t VALUES (1)")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_a_connection_from_before_the_crash_can_neither_read_nor_harm(
    machine: Machine, library: Any
) -> None:
    path = machine.folder / "fieldstamp.sqlite"
    ghost = library.connect(path, isolation_level=None)
    ghost.execute("PRAGMA journal_mode=WAL")
    ghost.execute("CREATE TABLE t (a)")
    machine.restart(Random(1))
    living = library.connect(path, isolation_level=None)
    living.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(library.OperationalError):
        ghost.execute("INSERT INTO t VALUES (2)")
    ghost.close()
    living.execute("INSERT INTO t VALUES (3)")
    assert living.execute("SELECT a FROM t").fetchall() == [(1,), (3,)]
    assert living.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    living.close()


def test_a_file_that_is_written_anew_may_come_back_as_it_was(machine: Machine) -> None:
    path = machine.folder / "file"
    put(path, b"before")
    put(path, b"after", sync=False)
    assert {b"before", b"after"} <= fates(machine, path.read_bytes)


def test_renaming_what_is_not_there_leaves_no_trace(machine: Machine) -> None:
    with pytest.raises(FileNotFoundError):
        (machine.folder / "nothing").rename(machine.folder / "new")
    assert fates(machine, lambda: list(machine.folder.iterdir()) == []) == {True}


def test_files_elsewhere_are_left_alone(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put(tmp_path_factory.mktemp("elsewhere") / "file", b"x")
    assert machine.calls == 0


def test_behind_its_block_the_layer_is_gone(tmp_path: Path) -> None:
    before = os.open, os.fsync, open
    with Disk() as disk:
        machine = disk.server(tmp_path)
        assert os.open is not before[0]
    put(tmp_path / "file", b"x")
    assert (os.open, os.fsync, open) == before
    assert machine.calls == 0
