"""The layer beneath Python's file functions: ``os`` and ``open``, while its block runs.

What is not below the folder of a machine passes through untouched.
"""

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Never, cast

from tests.simulation.disk_machine import Crash, Handle, Machine, Machines, Verdict

WATCHED = (
    "open",
    "close",
    "write",
    "pwrite",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "replace",
    "link",
    "unlink",
    "remove",
    "mkdir",
    "rmdir",
    "sendfile",
)
REAL = {name: getattr(os, name) for name in WATCHED}
TWINS = {"fdatasync": "fsync", "replace": "rename", "remove": "unlink"}
REAL_OPEN = io.open
WRITES = frozenset("wax+")
NUMBERS = {Verdict.FULL: errno.ENOSPC, Verdict.BROKEN: errno.EIO}


def _demand(machine: Machine, name: str, action: str) -> None:
    """Raises what ``action`` meets: :class:`Crash` or ``OSError``."""
    verdict = machine.ask(name, action)
    if verdict is not Verdict.GO:
        _fail(verdict, name)


def _fail(verdict: Verdict, name: str) -> Never:
    if verdict is Verdict.DIES:
        raise Crash(name)
    number = NUMBERS[verdict]
    raise OSError(number, os.strerror(number), name)


def _name_of(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links are not to be followed


class OpenFile:
    """A descriptor below the folder of a machine."""

    def __init__(self, machine: Machine, name: str, descriptor: int) -> None:
        self.machine = machine
        self.name = name
        self.handle: Handle = machine.open(name)
        self._descriptor = descriptor

    def demand(self, action: str) -> None:
        """Raises what ``action`` meets."""
        if self.handle.is_dead:
            raise Crash(self.name)
        _demand(self.machine, self.name, action)

    def write(self, data: Any, put: Callable[[], int], place: int | None = None) -> int:
        """Writes by ``put`` and notes how much of ``data`` it took."""
        if place is None:
            place = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        self.demand("write")
        written = put()
        self.handle.file.write(place, bytes(data[:written]))
        return written

    def cut(self, size: int) -> None:
        """Puts the end of the file at ``size``."""
        self.demand("truncate")
        REAL["ftruncate"](self._descriptor, size)
        self.handle.file.cut(size)

    def sync(self) -> None:
        """The real disk is left alone: what is sure is known here."""
        file = self.handle.file
        if self.handle.is_dead:
            raise Crash(self.name)
        verdict = self.machine.ask(self.name, "sync_folder" if file.is_folder else "sync")
        if verdict is Verdict.LIES:
            return
        if verdict is not Verdict.GO:
            self.machine.fail_sync(file)
            _fail(verdict, self.name)
        if file.is_folder:
            self.machine.tree.sync_folder(self.name)
        else:
            file.sync()

    def close(self) -> None:
        """Nobody has it open any more."""
        self.machine.close(self.handle)


class WatchedFile(io.FileIO):
    """What ``open`` gives for a file of a machine."""

    def __init__(self, descriptor: int, mode: str, opened: OpenFile, files: "Files") -> None:
        super().__init__(descriptor, mode)
        self._opened = opened
        self._files = files

    def write(self, data: Any, /) -> int:
        """Writes, and notes it; what a cut off process still had in memory is gone."""
        view = memoryview(data).cast("B")
        if self._opened.handle.is_dead:
            return len(view)
        if "a" in self.mode:
            self.seek(0, os.SEEK_END)
        return self._opened.write(view, lambda: io.FileIO.write(self, view), self.tell())

    def truncate(self, size: int | None = None, /) -> int:
        """Puts the end at ``size``, or where the file stands."""
        end = self.tell() if size is None else size
        self._opened.cut(end)
        return end

    def close(self) -> None:
        """Closes the descriptor."""
        if not self.closed:
            self._files.let_go(self.fileno())
        super().close()


class Files:
    """The functions that stand in for those of ``os`` and for ``open``."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self._opened: dict[int, OpenFile] = {}

    def let_go(self, descriptor: int) -> None:
        """Forgets a descriptor that is being closed."""
        opened = self._opened.pop(descriptor, None)
        if opened:
            opened.close()

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """``os.open``"""
        machine = None if dir_fd is not None else self._machines.find(name := _name_of(path))
        if machine is None:
            return int(REAL["open"](path, flags, mode, dir_fd=dir_fd))
        action = _change_by(flags, name)
        if action:
            _demand(machine, name, action)
        descriptor = int(REAL["open"](path, flags, mode))
        if action == "create":
            machine.tree.make(name)
        opened = self._opened[descriptor] = OpenFile(machine, name, descriptor)
        if action == "truncate":
            opened.handle.file.cut(0)
        return descriptor

    def close(self, descriptor: int) -> None:
        """``os.close``"""
        self.let_go(descriptor)
        REAL["close"](descriptor)

    def write(self, descriptor: int, data: Any) -> int:
        """``os.write``"""
        put: Callable[[], int] = lambda: REAL["write"](descriptor, data)  # noqa: E731
        opened = self._opened.get(descriptor)
        return opened.write(data, put) if opened else put()

    def pwrite(self, descriptor: int, data: Any, place: int) -> int:
        """``os.pwrite``"""
        put: Callable[[], int] = lambda: REAL["pwrite"](descriptor, data, place)  # noqa: E731
        opened = self._opened.get(descriptor)
        return opened.write(data, put, place) if opened else put()

    def fsync(self, descriptor: Any) -> None:
        """``os.fsync`` and ``os.fdatasync``"""
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        opened = self._opened.get(number)
        if opened is None:
            REAL["fsync"](descriptor)
        else:
            opened.sync()

    def ftruncate(self, descriptor: int, size: int) -> None:
        """``os.ftruncate``"""
        opened = self._opened.get(descriptor)
        if opened is None:
            REAL["ftruncate"](descriptor, size)
        else:
            opened.cut(size)

    def sendfile(self, target: int, *given: Any, **more: Any) -> int:
        """``os.sendfile``; on a machine callers are told to copy by reading and writing."""
        if target in self._opened:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return int(REAL["sendfile"](target, *given, **more))

    def rename(self, old: Any, new: Any, **given: Any) -> None:
        """``os.rename`` and ``os.replace``"""
        self._join("rename", old, new, given)

    def link(self, old: Any, new: Any, **given: Any) -> None:
        """``os.link``"""
        self._join("link", old, new, given)

    def unlink(self, path: Any, **given: Any) -> None:
        """``os.unlink`` and ``os.remove``"""
        self._take("unlink", path, given)

    def rmdir(self, path: Any, **given: Any) -> None:
        """``os.rmdir``"""
        self._take("rmdir", path, given)

    def mkdir(self, path: Any, mode: int = 0o777, **given: Any) -> None:
        """``os.mkdir``"""
        machine = self._machines.find(name := _name_of(path))
        if machine and not os.path.lexists(name):
            _demand(machine, name, "mkdir")
        REAL["mkdir"](path, mode, **given)
        if machine:
            machine.tree.make(name, is_folder=True)

    def _join(self, action: str, old: Any, new: Any, given: dict[str, Any]) -> None:
        machine = self._machines.find(target := _name_of(new))
        source = _name_of(old)
        if machine is None or self._machines.find(source) is not machine:
            REAL[action](old, new, **given)
            return
        if os.path.lexists(source):
            machine.find(source)
        _demand(machine, target, action)
        REAL[action](old, new, **given)
        (machine.tree.rename if action == "rename" else machine.tree.link)(source, target)

    def _take(self, action: str, path: Any, given: dict[str, Any]) -> None:
        machine = self._machines.find(name := _name_of(path))
        if machine and os.path.lexists(name):
            machine.find(name)
            _demand(machine, name, action)
        REAL[action](path, **given)
        if machine:
            machine.tree.remove(name)

    def open_file(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> IO[Any]:
        """``open`` and ``io.open``"""
        descriptor = self._descriptor_of(file, mode)
        if descriptor is None or opener or not closefd:
            given = (buffering, encoding, errors, newline, closefd, opener)
            plain: IO[Any] = REAL_OPEN(file, mode, *given)
            return plain
        kind = mode.replace("b", "").replace("t", "")
        raw = WatchedFile(descriptor, kind, self._opened[descriptor], self)
        if buffering == 0:
            return raw
        buffered: Any = _buffer_class(kind)(raw)
        if "b" in mode:
            return cast("IO[Any]", buffered)
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)

    def _descriptor_of(self, file: Any, mode: str) -> int | None:
        """The descriptor of a file that is to be watched."""
        if isinstance(file, int):
            return file if file in self._opened else None
        if self._machines.find(_name_of(file)) is None:
            return None
        return self.open(file, _flags(mode), 0o666)


def _change_by(flags: int, name: str) -> str | None:
    """What opening a file changes by itself."""
    if not os.path.lexists(name):
        return "create" if flags & os.O_CREAT else None
    return "truncate" if flags & os.O_TRUNC else None


def _flags(mode: str) -> int:
    if WRITES.isdisjoint(mode):
        return os.O_CLOEXEC | os.O_RDONLY
    flags = os.O_CLOEXEC | (os.O_RDWR if "+" in mode else os.O_WRONLY)
    if "w" in mode:
        flags |= os.O_CREAT | os.O_TRUNC
    if "x" in mode:
        flags |= os.O_CREAT | os.O_EXCL
    if "a" in mode:
        flags |= os.O_CREAT | os.O_APPEND
    return flags


def _buffer_class(kind: str) -> Any:
    if "+" in kind:
        return io.BufferedRandom
    return io.BufferedReader if kind == "r" else io.BufferedWriter


@contextmanager
def watch_files(machines: Machines) -> Iterator[None]:
    """Puts the layer beneath the file functions of this process."""
    files = Files(machines)
    for name in WATCHED:
        setattr(os, name, getattr(files, TWINS.get(name, name)))
    builtins.open = io.open = files.open_file  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in WATCHED:
            setattr(os, name, REAL[name])
        builtins.open = io.open = REAL_OPEN
