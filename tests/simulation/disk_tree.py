"""What of one machine's files a loss of power would leave. Touches no file; knows no SQLite.

A write is sure once its file was synced, a name once its folder was. Everything else survives by
chance: whole writes, single sectors of one, names made, moved or removed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from random import Random
from typing import Literal

SECTOR = 512
NOISE = 0.03
"""How often a sector that was being written when the power went holds neither old nor new."""


@dataclass(slots=True)
class Change:
    """Bytes put at a place, or, without bytes, the end of the file put there."""

    place: int
    data: bytes | None
    state: Literal["open", "doubtful", "sure"] = "open"
    """``doubtful``: its sync failed, and the system has forgotten that it must still be written."""


@dataclass(slots=True, eq=False)
class File:
    """The bytes behind one or several names."""

    sure: bytearray
    changes: list[Change] = field(default_factory=list)
    is_folder: bool = False
    is_doubtful: bool = False
    """A sync has failed."""

    def write(self, place: int, data: bytes) -> None:
        """Notes bytes that were written and not synced."""
        self.changes.append(Change(place, data))

    def cut(self, size: int) -> None:
        """Notes a new end."""
        self.changes.append(Change(size, None))

    def sync(self) -> None:
        """Everything written so far is sure, but for what a failed sync left in doubt."""
        if self.is_doubtful:
            for change in self.changes:
                change.state = "sure" if change.state == "open" else change.state
            return
        for change in self.changes:
            _apply(self.sure, change)
        self.changes.clear()

    def fail_sync(self) -> None:
        """A failed sync: what was written may get lost, and a later sync says nothing about it."""
        for change in self.changes:
            change.state = "doubtful" if change.state == "open" else change.state
            self.is_doubtful = True

    def lose_power(self, dice: Random) -> None:
        """Makes sure what is found again."""
        luck = dice.choice((0.0, 0.5, 0.9, 1.0, dice.random()))
        for change in self.changes:
            if change.state == "sure" or (change.data is None and dice.random() < luck):
                _apply(self.sure, change)
            elif change.data is not None:
                _scatter(self.sure, change.place, change.data, dice, luck)
        self.changes.clear()
        self.is_doubtful = False

    def copy(self) -> "File":
        """The same file at this moment."""
        return File(bytearray(self.sure), list(self.changes), self.is_folder, self.is_doubtful)


def _apply(content: bytearray, change: Change) -> None:
    if change.data is None:
        del content[change.place :]
        content.extend(bytes(change.place - len(content)))
        return
    content.extend(bytes(max(change.place - len(content), 0)))
    content[change.place : change.place + len(change.data)] = change.data


def _scatter(content: bytearray, place: int, data: bytes, dice: Random, luck: float) -> None:
    """Writes some sectors of ``data``; the length may have grown without the bytes."""
    for start, piece in _sectors(place, data):
        fate = dice.random()
        if fate < luck:
            kept = dice.randbytes(len(piece)) if fate < luck * (1 - luck) * NOISE else piece
            _apply(content, Change(start, kept))


def _sectors(place: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        end = start + SECTOR - (place + start) % SECTOR
        yield place + start, data[start:end]
        start = end


@dataclass(slots=True)
class Move:
    """One step that changed names, all of it or nothing: name → what it stands for now."""

    names: dict[str, File | None]

    def is_in(self, folder: str) -> bool:
        """Whether it changed a name in ``folder``."""
        return any(_folder_of(name) == folder for name in self.names)


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


class Tree:
    """The names below one folder: as they are, and as they would be found again.

    A folder is a name that stands for a file without content.
    """

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self._sure: dict[str, File] = {}
        self._moves: list[Move] = []

    @classmethod
    def of(cls, folder: str) -> "Tree":
        """An empty folder."""
        tree = cls()
        tree.settle(folder, None)
        return tree

    def settle(self, name: str, content: bytes | None) -> File:
        """Takes up what is there and on the disk already; a folder has no content."""
        file = File(bytearray(content or b""), is_folder=content is None)
        self.names[name] = self._sure[name] = file
        return file

    def make(self, name: str, *, is_folder: bool = False) -> File:
        """A new, empty file or folder."""
        file = File(bytearray(), is_folder=is_folder)
        self._change({name: file})
        return file

    def link(self, old: str, new: str) -> None:
        """A second name for a file."""
        self._change({new: self.names[old]})

    def rename(self, old: str, new: str) -> None:
        """Moves a file, or a folder with all that is below it, over what ``new`` stood for."""
        below = [name for name in self.names if name == old or name.startswith(old + "/")]
        fresh: dict[str, File | None] = dict.fromkeys(below)
        self._change(fresh | {new + name[len(old) :]: self.names[name] for name in below})

    def remove(self, name: str) -> None:
        """Takes a name away."""
        self._change({name: None})

    def sync_folder(self, folder: str) -> None:
        """The names in ``folder`` are sure."""
        left = []
        for move in self._moves:
            if move.is_in(folder):
                _settle_names(self._sure, move)
            else:
                left.append(move)
        self._moves = left

    def lose_power(self, dice: Random) -> None:
        """Leaves what is found again; afterwards all of that is sure."""
        names = dict(self._sure)
        for move in _survivors(self._moves, dice):
            _settle_names(names, move)
        names = {name: file for name, file in names.items() if _is_reached(name, names, self.names)}
        for file in dict.fromkeys(names.values()):
            file.lose_power(dice)
        self.names, self._sure, self._moves = names, dict(names), []

    def copy(self) -> "Tree":
        """The same tree at this moment."""
        moved = (file for move in self._moves for file in move.names.values() if file)
        files = dict.fromkeys([*self.names.values(), *self._sure.values(), *moved])
        twins = {file: file.copy() for file in files}
        other = Tree()
        other.names = {name: twins[file] for name, file in self.names.items()}
        other._sure = {name: twins[file] for name, file in self._sure.items()}
        other._moves = [
            Move({name: file and twins[file] for name, file in move.names.items()})
            for move in self._moves
        ]
        return other

    def _change(self, names: dict[str, File | None]) -> None:
        move = Move(names)
        self._moves.append(move)
        _settle_names(self.names, move)


def _settle_names(names: dict[str, File], move: Move) -> None:
    for name, file in move.names.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _survivors(moves: Iterable[Move], dice: Random) -> Iterator[Move]:
    """Any of the steps, but none that builds on one that was lost."""
    luck = dice.choice((0.0, 0.5, 1.0, dice.random()))
    lost: set[str] = set()
    for move in moves:
        if lost.isdisjoint(move.names) and dice.random() < luck:
            yield move
        else:
            lost |= set(move.names)


def _is_reached(name: str, names: dict[str, File], live: dict[str, File]) -> bool:
    """Whether the folders above ``name`` are found again, too."""
    above = [str(folder) for folder in PurePath(name).parents]
    return all(folder in names for folder in above if folder in live)
