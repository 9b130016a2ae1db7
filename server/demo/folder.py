"""The folder of a demonstration: what lies where, and that nothing else is ever touched."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

MARKER = "FIELDSTAMP-DEMO"
OWN = ("server", "devices", "crew.json", "master.json", "server.log")
"""All that a demonstration writes beside its marker."""


class NotADemo(Exception):
    """The folder holds something that no demonstration put there."""


class InUse(Exception):
    """Another demonstration runs in this folder."""


class CrewDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device and who uses it."""

    name: str
    username: str
    password: str
    store: str


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """What the count needs to know."""

    server: str
    devices: list[CrewDevice]


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Makes ``folder`` this demonstration's own, with nothing of an earlier one left.

    Raises :class:`NotADemo` for a folder that is not empty and not a demonstration's, and
    :class:`InUse` where one is running; nothing is touched then.
    """
    marker = folder / MARKER
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise NotADemo(str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    with marker.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InUse(str(folder)) from error
        _clear(folder)
        yield


def _clear(folder: Path) -> None:
    for name in OWN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_crew(folder: Path, crew: Crew) -> None:
    """Notes the devices of a demonstration in its folder."""
    (folder / "crew.json").write_bytes(msgspec.json.encode(crew))


def read_crew(folder: Path) -> Crew:
    """The devices of the demonstration in ``folder``. Raises :class:`NotADemo`."""
    path = folder / "crew.json"
    if not path.exists():
        raise NotADemo(str(folder))
    return msgspec.json.decode(path.read_bytes(), type=Crew)
