"""Fixtures: the ground on which scenes are played, one for each module of tests, and machines on
whose disk nothing is yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.durability.ground import Ground, new_folder, remove_folder
from tests.simulation.disk import Disk, Machine, NoLibraryError


@contextmanager
def _watched() -> Iterator[tuple[Path, Disk]]:
    folder = new_folder()
    try:
        with Disk() as disk:
            yield folder, disk
    except NoLibraryError as error:
        pytest.skip(f"nothing can be put beneath this SQLite: {error}")
    finally:
        remove_folder(folder)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """A server and a phone on disks that lose power."""
    with _watched() as (folder, disk):
        ground = Ground(folder, disk)
        yield ground
        ground.close()


@pytest.fixture
def phone() -> Iterator[Machine]:
    """A phone."""
    with _watched() as (folder, disk):
        yield disk.device(folder)


@pytest.fixture
def server() -> Iterator[Machine]:
    """A server."""
    with _watched() as (folder, disk):
        yield disk.server(folder)
