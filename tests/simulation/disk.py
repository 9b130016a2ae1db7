"""Disks that lose power, fill up and fail, under the real code of server and devices.

``with Disk() as disk`` puts a layer beneath every SQLite library that is loaded and beneath the
file functions of Python. A :class:`Machine` is one folder of it: its own power, its own faults.
Nothing here knows what the files mean, but for the names of the points.
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.simulation.disk_files import watch_files
from tests.simulation.disk_machine import (
    DEVICE,
    SERVER,
    Call,
    Crash,
    Machine,
    Machines,
    Verdict,
    let_go,
)
from tests.simulation.disk_sqlite import NoLibraryError, watch_sqlite

__all__ = [
    "DEVICE",
    "SERVER",
    "Call",
    "Crash",
    "Disk",
    "Machine",
    "NoLibraryError",
    "Verdict",
    "let_go",
]


class Disk:
    """The layer, while its block runs; connections opened before it are not seen by it."""

    def __init__(self) -> None:
        self._machines = Machines()
        self._stack = ExitStack()

    def server(self, folder: Path, name: str = "server") -> Machine:
        """The data folder of a server."""
        return self._machines.add(Machine(folder, name, SERVER))

    def device(self, folder: Path, name: str = "device") -> Machine:
        """A folder with the stores of one phone."""
        return self._machines.add(Machine(folder, name, DEVICE))

    def forget(self, machine: Machine) -> None:
        """Lets the folder of ``machine`` be an ordinary one again."""
        self._machines.remove(machine)

    def __enter__(self) -> Self:
        self._stack.enter_context(watch_files(self._machines))
        self._stack.enter_context(watch_sqlite(self._machines))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
