"""Fixtures: the ground on which scenes are played, one for each module of tests."""

from collections.abc import Iterator

import pytest

from tests.durability.ground import Ground, new_folder, remove_folder
from tests.simulation.disk import Disk, NoLibraryError


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """A server and a phone on disks that lose power."""
    folder = new_folder()
    try:
        with Disk() as disk:
            ground = Ground(folder, disk)
            yield ground
            ground.close()
    except NoLibraryError as error:
        pytest.skip(f"nothing can be put beneath this SQLite: {error}")
    finally:
        remove_folder(folder)
