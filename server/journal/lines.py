"""The journal as a file: one line a transaction, each naming the hash of the one before it.

A line whose transaction did not commit stays in the file and is nobody's predecessor. What is torn
was never answered, and counts as not there; a line that is missed is missed by its successor.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from server.clock import from_wire
from server.durable import sync_path

NONE = "0" * 64
"""The predecessor of the first line."""
HASH_LENGTH = 64


class JournalFault(Exception):
    """The journal and the store do not fit together; the words are for an administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row as it was after the change, or, where it is ``gone``, before."""

    name: str
    """The table."""
    gone: bool
    row: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one transaction changed; ``at`` is the server's time in the wire's form."""

    prev: str
    at: str
    changes: tuple[Change, ...] = ()
    store: str | None = None
    """On the first line of a file: the name of the store's first epoch."""

    @property
    def hash(self) -> str:
        """SHA-256 of the line's content, in hex."""
        return hashlib.sha256(self._content()).hexdigest()

    def write(self) -> bytes:
        """The line as it stands in the file."""
        content = self._content()
        return hashlib.sha256(content).hexdigest().encode() + b" " + content + b"\n"

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """The line in ``raw``; None where it is torn or damaged."""
        content = raw[HASH_LENGTH + 1 : -1]
        whole = raw.endswith(b"\n")
        if not whole or hashlib.sha256(content).hexdigest().encode() != raw[:HASH_LENGTH]:
            return None
        told = orjson.loads(content)
        changes = tuple(Change(**change) for change in told.pop("changes"))
        return cls(changes=changes, **told)

    def _content(self) -> bytes:
        changes = [{"name": c.name, "gone": c.gone, "row": c.row} for c in self.changes]
        told = {"prev": self.prev, "at": self.at, "changes": changes, "store": self.store}
        return orjson.dumps(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The line that a store took part in last, and where it begins."""

    hash: str
    place: int


def begin(path: Path, line: Line) -> Head:
    """Makes the file, readable by its owner only, with its first line; durable on return.

    A file that holds no whole line is taken over.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        file.truncate()
        file.write(line.write())
        _sync(file)
    sync_path(path.parent)
    return Head(hash=line.hash, place=0)


def append(path: Path, head: Head, line: Line) -> Head:
    """Adds ``line`` behind ``head``; durable on return.

    Raises :class:`JournalFault` where the file goes on behind ``head``: then the store is older
    than its journal, and must take in the rest first.
    """
    try:
        with path.open("r+b") as file:
            if _pass(file, head):
                raise JournalFault(
                    "The store is older than its journal. Stop the server and run"
                    " `fieldstamp-server db upgrade`, which takes in what is missing."
                )
            place = file.tell()
            _write_again(file, start=_end_of(file, head), end=place, more=line.write())
    except FileNotFoundError as error:
        raise JournalFault(f"The journal {path.name} is gone. Restart the server.") from error
    return Head(hash=line.hash, place=place)


def settle(path: Path, head: Head) -> None:
    """P3: makes durable what stands behind ``head``, before a store that starts takes it in.

    A process that was killed may have written its last line without a sync. Raises
    :class:`JournalFault`.
    """
    with path.open("r+b") as file:
        chain = _pass(file, head, with_last=True)
        end = file.tell()
        _write_again(file, start=chain[-1][0].place if chain else end, end=end)


def is_just_begun(path: Path, store: str) -> bool:
    """Whether the file holds nothing but the first line of ``store``."""
    line = Line.read(path.read_bytes())
    return line is not None and line.store == store


def _write_again(file: BinaryIO, *, start: int, end: int, more: bytes = b"") -> None:
    """Writes what stands between ``start`` and ``end`` once more, and ``more`` behind it.

    P3: after a sync that failed, bytes can be read and will never be written by themselves.
    """
    file.seek(start)
    doubtful = file.read(end - start)
    file.seek(end)
    file.truncate()  # what is torn was never answered
    file.seek(start)
    file.write(doubtful + more)
    _sync(file)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def lines_behind(path: Path, head: Head) -> list[tuple[Head, Line]]:
    """The lines that follow ``head``, each with its place; those that did not commit left out.

    Raises :class:`JournalFault` where the journal is another store's, or damaged.
    """
    with path.open("rb") as file:
        return _pass(file, head, with_last=True)


def _pass(file: BinaryIO, head: Head, *, with_last: bool = False) -> list[tuple[Head, Line]]:
    """The chain behind ``head``; ``file`` is then behind the last whole line.

    A line in doubt, the last one with nothing behind it, belongs to the chain for a store that
    starts (``with_last``); for one that is writing it did not commit.
    """
    chain: list[tuple[Head, Line]] = []
    end = _end_of(file, head)
    for place, size, line in _whole_lines(file, end):
        before = [head.hash, *(one.hash for one, _line in chain)]
        if line.prev not in before:
            raise JournalFault(f"The journal is damaged before byte {place}.")
        del chain[before.index(line.prev) :]
        chain.append((Head(hash=line.hash, place=place), line))
        end = place + size
    file.seek(end)
    return chain if with_last or len(chain) > 1 else []


def _end_of(file: BinaryIO, head: Head) -> int:
    """Where the line of ``head`` ends; ``file`` is then there."""
    file.seek(head.place)
    found = Line.read(file.readline())
    if found is None or found.hash != head.hash:
        raise JournalFault("The journal belongs to another store.")
    return file.tell()


def _whole_lines(file: BinaryIO, place: int) -> Iterator[tuple[int, int, Line]]:
    """(place, size, line) of each line from ``place`` on; what is torn is left out."""
    for raw in file:
        line = Line.read(raw)
        if line is not None:
            yield place, len(raw), line
        place += len(raw)


def span(lines: Sequence[Line]) -> str:
    """The time that ``lines`` cover, for a person."""
    if not lines:
        return ""
    first, last = (from_wire(line.at) for line in (lines[0], lines[-1]))
    return f"{first:%Y-%m-%d %H:%M:%S} – {last:%Y-%m-%d %H:%M:%S} UTC"
