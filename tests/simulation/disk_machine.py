"""One folder that loses power as a whole: who has files of it open, what may happen to a call.

Turns what :mod:`disk_tree` says is left after a loss of power into files. Intercepts nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatch
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.simulation.disk_tree import File, Tree

SERVER = {
    "fieldstamp.sqlite": "store",
    "fieldstamp.sqlite-wal": "wal",
    "fieldstamp.sqlite-journal": "rollback",
    "work.sqlite*": "work",
    "journal.jsonl*": "journal",
    "*.key*": "key",
    "uploads*": "part",
    "blobs*": "blob",
    "pictures*": "picture",
}
"""Files of a server's data folder → the word for them in the name of a point."""
DEVICE = {
    "*.db": "store",
    "*.db-wal": "wal",
    "*.db-journal": "rollback",
    "*.db.lock": "lock",
    "*.db.blobs*": "blob",
}
"""Files of a device's folder → the word for them."""
SHARED_MEMORY = "-shm"


class Crash(BaseException):
    """The machine has no power: nothing that runs on it goes on."""


class Verdict(Enum):
    """What happens to one call."""

    GO = auto()
    FULL = auto()
    """No space is left."""
    BROKEN = auto()
    """The disk reports an error."""
    DIES = auto()
    """The machine stops before the call does anything."""
    LIES = auto()
    """A sync is said to be done, and nothing was synced; as if the code had left it out."""


class Call(NamedTuple):
    """One call that would change what is on the disk."""

    point: str
    """``server.store.sync``: machine, file, action."""
    number: int
    """Which call of its machine, from 1."""


def let_go(_call: Call) -> Verdict:
    """Nothing goes wrong."""
    return Verdict.GO


@dataclass(slots=True, eq=False)
class Handle:
    """A file that somebody has open."""

    name: str
    file: File
    cut_off: Callable[[], object] | None = None
    """Makes the holder's library see a dead disk."""
    is_dead: bool = False


class Machine:
    """A folder with its own power and its own faults."""

    def __init__(self, folder: Path, name: str, words: Mapping[str, str]) -> None:
        self.folder = folder.resolve()
        self.name = name
        self.judge: Callable[[Call], Verdict] = let_go
        """Asked before each call."""
        self.points: Counter[str] = Counter()
        """How often each point was passed."""
        self.calls = 0
        self.is_down = False
        """The power is gone, and :meth:`restart` was not called yet."""
        self.tree = Tree.of(str(self.folder))
        self._prefix = f"{self.folder}/"
        self._words = dict(words)
        self._known: dict[tuple[str, str], str] = {}
        self._opened: set[Handle] = set()
        self._is_at_work = False
        self.settle()

    def settle(self) -> None:
        """Everything that is in the folder now is on the disk. Nobody may have a file open."""
        self.tree = Tree.of(str(self.folder))
        for path in sorted(self.folder.rglob("*")):
            if not path.name.endswith(SHARED_MEMORY):
                self.find(str(path))

    def ask(self, name: str, action: str) -> Verdict:
        """What happens to ``action`` on the file ``name``; counts it."""
        if self.is_down:
            return Verdict.DIES
        point = self._point(name, action)
        self.calls += 1
        self.points[point] += 1
        verdict = self.judge(Call(point, self.calls))
        self.is_down = verdict is Verdict.DIES
        return verdict

    def holds(self, name: str) -> bool:
        """Whether ``name`` is the folder or below it; nothing is while the layer is at work, and
        what processes share is memory."""
        if self._is_at_work or name.endswith(SHARED_MEMORY):
            return False
        return f"{name}/".startswith(self._prefix)

    def find(self, name: str) -> File:
        """The file of that name; one that came behind the layer's back is sure as it is."""
        found = self.tree.names.get(name)
        if found is None:
            with self._at_work():
                path = Path(name)
                content = path.read_bytes() if path.is_file() else None
            found = self.tree.settle(name, content)
        return found

    def open(self, name: str, cut_off: Callable[[], object] | None = None) -> Handle:
        """Notes that somebody opened ``name``."""
        handle = Handle(name, self.find(name), cut_off)
        self._opened.add(handle)
        return handle

    def close(self, handle: Handle) -> None:
        """Notes that it was closed."""
        self._opened.discard(handle)

    def fail_sync(self, file: File) -> None:
        """A sync came back with an error; one that never came back puts nothing in doubt."""
        if not self.is_down:
            file.fail_sync()

    def stop(self) -> None:
        """Takes the power away now; what still runs finds a disk that does nothing."""
        self.is_down = True

    def restart(self, dice: Random | None) -> None:
        """Comes back with what is found on the disk; whoever had files open is cut off.

        With ``dice`` the power was lost, and they decide what survives of all that was not sure.
        Without, only the processes were killed, and what they wrote is still there.
        """
        with self._at_work():
            opened = self._cut_off_all()
            if dice is None:
                self._come_back(opened)
            else:
                self._lose(opened, dice)
        self.is_down = False

    def restart_from(self, moment: Tree, dice: Random) -> None:
        """Comes back after a loss of power at ``moment``, a copy of :attr:`tree` made then."""
        with self._at_work():
            self._cut_off_all()
            there = {str(path) for path in self.folder.rglob("*")}
            self.tree = moment.copy()
            self.tree.lose_power(dice)
            _remove(there - self.tree.names.keys())
            self._write_again({name: bytes(file.sure) for name, file in self.tree.names.items()})
        self.is_down = False

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._is_at_work = True
        try:
            yield
        finally:
            self._is_at_work = False

    def _come_back(self, opened: set[File]) -> None:
        names = self.tree.names
        files = (n for n in names if names[n] in opened and not names[n].is_folder)
        self._write_again({name: Path(name).read_bytes() for name in files})

    def _lose(self, opened: set[File], dice: Random) -> None:
        before = dict(self.tree.names)
        changed = {file for file in before.values() if file.changes} | opened
        self.tree.lose_power(dice)
        _remove(before.keys() - self.tree.names.keys())
        self._write_again(
            {
                name: bytes(file.sure)
                for name, file in self.tree.names.items()
                if before.get(name) is not file or file in changed
            }
        )

    def _cut_off_all(self) -> set[File]:
        for handle in self._opened:
            handle.is_dead = True
            if handle.cut_off:
                handle.cut_off()
        opened = {handle.file for handle in self._opened}
        self._opened.clear()
        return opened

    def _write_again(self, contents: Mapping[str, bytes]) -> None:
        """New files, so that the locks and writes of whoever was cut off reach none of them."""
        for path in self.folder.rglob(f"*{SHARED_MEMORY}"):
            path.unlink()
        written: dict[File, Path] = {}
        for name in sorted(contents):
            file, path = self.tree.names[name], Path(name)
            if file.is_folder:
                path.mkdir(exist_ok=True)
            elif file in written:
                path.unlink(missing_ok=True)
                path.hardlink_to(written[file])
            else:
                _replace(path, contents[name])
                written[file] = path

    def _point(self, name: str, action: str) -> str:
        point = self._known.get((name, action))
        if point is None:
            inside = name[len(self._prefix) :]
            word = next((w for shape, w in self._words.items() if fnmatch(inside, shape)), "folder")
            point = self._known[name, action] = f"{self.name}.{word}.{action}"
        return point


def _replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode if path.exists() else 0o600
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _remove(names: Iterable[str]) -> None:
    """Deepest first, so that folders are empty."""
    for name in sorted(names, reverse=True):
        path = Path(name)
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


class Machines:
    """All machines of a layer."""

    def __init__(self) -> None:
        self._all: list[Machine] = []

    def add(self, machine: Machine) -> Machine:
        """Watches its folder."""
        self._all.append(machine)
        return machine

    def remove(self, machine: Machine) -> None:
        """Watches it no longer."""
        self._all.remove(machine)

    def find(self, name: str) -> Machine | None:
        """The machine whose folder holds ``name``."""
        for machine in self._all:
            if machine.holds(name):
                return machine
        return None
