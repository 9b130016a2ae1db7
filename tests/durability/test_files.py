"""Files of the server by themselves, in a folder that no SQLite syncs on the way."""

from collections.abc import Iterator
from random import Random

import pytest

from server.media.disk import DiskBlobs
from server.media.parts import PartFiles
from server.settings import Settings, secret_keys, server_key
from tests.durability.ground import new_folder, remove_folder
from tests.simulation.disk import Crash, Disk, Machine, NoLibraryError, Verdict, let_go

DICE = range(12)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine on whose disk nothing is yet."""
    folder = new_folder()
    try:
        with Disk() as disk:
            yield disk.server(folder)
    except NoLibraryError as error:
        pytest.skip(f"nothing can be put beneath this SQLite: {error}")
    finally:
        remove_folder(folder)


@pytest.mark.parametrize("dice", DICE)
def test_p3_a_key_that_devices_were_told_survives_a_power_cut(machine: Machine, dice: int) -> None:
    settings = Settings(data=machine.folder / "data")
    told = server_key(settings).private_bytes_raw(), secret_keys(settings)
    machine.restart(Random(dice))
    assert (server_key(settings).private_bytes_raw(), secret_keys(settings)) == told


@pytest.mark.parametrize("dice", DICE)
def test_p3_a_key_that_a_killed_start_left_survives_a_power_cut(
    machine: Machine, dice: int
) -> None:
    settings = Settings(data=machine.folder / "data")
    machine.judge = lambda call: Verdict.DIES if "unlink" in call.point else Verdict.GO
    with pytest.raises(Crash):
        secret_keys(settings)
    machine.judge = let_go
    machine.restart(None)
    told = secret_keys(settings)
    machine.restart(Random(dice))
    assert secret_keys(settings) == told


@pytest.mark.parametrize("dice", DICE)
def test_m4_the_first_blob_of_a_server_survives_a_power_cut(machine: Machine, dice: int) -> None:
    root = machine.folder / "blobs"
    kept = DiskBlobs(root).put_bytes(b"a photo")
    machine.restart(Random(dice))
    assert DiskBlobs(root).head(kept.sha256) == len(b"a photo")


@pytest.mark.parametrize("dice", DICE)
def test_m1_the_first_bytes_of_a_servers_first_upload_survive_a_power_cut(
    machine: Machine, dice: int
) -> None:
    root = machine.folder / "uploads"
    parts = PartFiles(root)
    parts.create("one")
    with parts.open("one", place=0) as part:
        part.write(b"the first piece")
        part.sync()
    parts.sync_names()
    machine.restart(Random(dice))
    assert PartFiles(root).path("one").read_bytes() == b"the first piece"
