"""The layer beneath the SQLite libraries that server and client opened, while its block runs.

A VFS in front of the library's own: it becomes the default, hands every call on to the real one,
and asks and notes where a call changes what is on the disk. Reads, locks and shared memory go the
library's own way. No file is opened here, and no copy of SQLite is loaded.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, addressof, byref, c_void_p, cast, string_at
from dataclasses import dataclass
from functools import cache

import fieldstamp._store as client_store
from server import db as server_store
from tests.simulation import disk_abi as abi
from tests.simulation.disk_abi import Methods, Vfs
from tests.simulation.disk_machine import Handle, Machine, Machines, Verdict


class NoLibraryError(LookupError):
    """The SQLite library of this Python does not show its functions."""


@dataclass(slots=True, kw_only=True)
class Table:
    """How files of one sort are served: by the library, by the layer, by nobody."""

    real: dict[str, Callable[..., int]]
    watched: Methods
    dead: Methods


@dataclass(slots=True, kw_only=True)
class OpenFile:
    """A file that the library has open."""

    machine: Machine
    handle: Handle
    real: dict[str, Callable[..., int]]
    methods: int
    """Where the library's own table of them is."""
    is_name_open: bool
    """The library will sync the folder when it first syncs the file."""


class Library:
    """One loaded SQLite library with a VFS in front of its own.

    The VFS stays as long as the process does, since connections keep pointing at it.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        try:
            self._register, find = library.sqlite3_vfs_register, library.sqlite3_vfs_find
        except AttributeError as error:
            raise NoLibraryError("this SQLite does not show its functions") from error
        find.restype = POINTER(Vfs)
        self._theirs = find(None)
        self._machines = Machines()
        self._opened: dict[int, OpenFile] = {}
        self._tables: dict[int, Table] = {}
        self._real = {
            name: abi.function_at(getattr(self._theirs.contents, name), name)
            for name in ("xOpen", "xDelete", "xSetSystemCall", "xGetSystemCall")
        }
        folder_opener = self._real["xGetSystemCall"](self._theirs, b"openDirectory")
        self._real["openDirectory"] = abi.function_at(folder_opener, "openDirectory")
        self._ours = self._stand_before()

    def start(self, machines: Machines) -> None:
        """Every connection opened from now on goes through the layer."""
        self._machines = machines
        self._register(byref(self._ours), 1)
        opener = cast(self._callbacks["openDirectory"], c_void_p)
        self._real["xSetSystemCall"](self._theirs, b"openDirectory", opener)

    def stop(self) -> None:
        """Connections are the library's own again, but for those that were cut off."""
        for file, opened in self._opened.items():
            if not opened.handle.is_dead:
                c_void_p.from_address(file).value = opened.methods
        self._real["xSetSystemCall"](self._theirs, b"openDirectory", None)
        self._register(self._theirs, 1)
        self._machines = Machines()

    def _stand_before(self) -> Vfs:
        self._callbacks = {
            "xOpen": abi.callback("xOpen", self._open),
            "xDelete": abi.callback("xDelete", self._delete),
            "openDirectory": abi.callback("openDirectory", self._open_folder),
            "xClose": abi.callback("xClose", self._close),
            "xWrite": abi.callback("xWrite", self._write),
            "xTruncate": abi.callback("xTruncate", self._truncate),
            "xSync": abi.callback("xSync", self._sync),
            "xShmMap": abi.callback("xShmMap", self._map),
            "dead": abi.callback("dead", lambda _file: abi.IOERR),
        }
        ours = Vfs.from_buffer_copy(self._theirs.contents)
        ours.zName = b"fieldstamp-faults"
        for name in ("xOpen", "xDelete"):
            setattr(ours, name, cast(self._callbacks[name], c_void_p))
        return ours

    def _table(self, address: int) -> Table:
        table = self._tables.get(address)
        if table is None:
            real = Methods.from_address(address)
            there = [name for name in abi.OF_A_FILE if getattr(real, name)]
            table = self._tables[address] = Table(
                real={name: abi.function_at(getattr(real, name), name) for name in there},
                watched=self._variant(real, {name: name for name in there}),
                dead=self._variant(real, {"xClose": "xClose"} | dict.fromkeys(abi.CUT_OFF, "dead")),
            )
        return table

    def _variant(self, real: Methods, replaced: dict[str, str]) -> Methods:
        variant = Methods.from_buffer_copy(real)
        for name, ours in replaced.items():
            setattr(variant, name, cast(self._callbacks[ours], c_void_p))
        return variant

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        path = os.fsdecode(string_at(name)) if name and not flags & abi.TEMPORARY else ""
        machine = self._machines.find(path)
        if machine is None:
            return int(self._real["xOpen"](self._theirs, name, file, flags, out))
        fresh = bool(flags & abi.CREATE) and not os.path.lexists(path)
        if machine.is_down or (fresh and machine.ask(path, "create") is not Verdict.GO):
            c_void_p.from_address(file).value = None
            return abi.CANTOPEN
        if not fresh:
            machine.find(path)
        code = int(self._real["xOpen"](self._theirs, name, file, flags, out))
        if code == abi.OK:
            self._take_up(machine, path, file, is_fresh=fresh, flags=flags)
        return code

    def _take_up(
        self, machine: Machine, path: str, file: int, *, is_fresh: bool, flags: int
    ) -> None:
        if is_fresh:
            machine.tree.make(path)
        methods = c_void_p.from_address(file)
        theirs = methods.value or 0
        table = self._table(theirs)
        methods.value = addressof(table.watched)

        def cut_off() -> None:
            methods.value = addressof(table.dead)

        self._opened[file] = OpenFile(
            machine=machine,
            handle=machine.open(path, cut_off),
            real=table.real,
            methods=theirs,
            is_name_open=bool(flags & abi.CREATE and flags & abi.NAME_COMES_WITH_SYNC),
        )

    def _close(self, file: int) -> int:
        opened = self._opened.pop(file)
        opened.machine.close(opened.handle)
        return opened.real["xClose"](file)

    def _write(self, file: int, data: int, size: int, place: int) -> int:
        opened = self._opened[file]
        verdict = opened.machine.ask(opened.handle.name, "write")
        if verdict is not Verdict.GO:
            return abi.ERRORS["write"][verdict]
        code = opened.real["xWrite"](file, data, size, place)
        if code == abi.OK:
            opened.handle.file.write(place, string_at(data, size))
        return code

    def _truncate(self, file: int, size: int) -> int:
        opened = self._opened[file]
        verdict = opened.machine.ask(opened.handle.name, "truncate")
        if verdict is not Verdict.GO:
            return abi.ERRORS["truncate"][verdict]
        code = opened.real["xTruncate"](file, size)
        if code == abi.OK:
            opened.handle.file.cut(size)
        return code

    def _sync(self, file: int, flags: int) -> int:
        """The real disk is left alone, but where the library syncs the folder on the way."""
        opened = self._opened[file]
        verdict = opened.machine.ask(opened.handle.name, "sync")
        if verdict is Verdict.GO:
            opened.handle.file.sync()
        elif verdict is not Verdict.LIES:
            opened.machine.fail_sync(opened.handle.file)
            return abi.ERRORS["sync"][verdict]
        if not opened.is_name_open:
            return abi.OK
        opened.is_name_open = False
        return opened.real["xSync"](file, flags)

    def _map(self, file: int, region: int, size: int, extend: int, out: int) -> int:
        opened = self._opened[file]
        verdict = opened.machine.ask(opened.handle.name, "map") if extend else Verdict.GO
        if verdict is not Verdict.GO:
            return abi.ERRORS["map"][verdict]
        return opened.real["xShmMap"](file, region, size, extend, out)

    def _delete(self, _vfs: int, name: int, sync_folder: int) -> int:
        path = os.fsdecode(string_at(name))
        machine = self._machines.find(path)
        if machine and os.path.lexists(path):
            machine.find(path)
            verdict = machine.ask(path, "unlink")
            if verdict is not Verdict.GO:
                return abi.ERRORS["unlink"][verdict]
            machine.tree.remove(path)
        return int(self._real["xDelete"](self._theirs, name, sync_folder))

    def _open_folder(self, name: int, out: int) -> int:
        """The library opens a folder for one thing only: to sync it."""
        path = os.fsdecode(string_at(name))
        machine = self._machines.find(path)
        if machine:
            verdict = machine.ask(path, "sync_folder")
            if verdict is Verdict.GO:
                machine.tree.sync_folder(os.path.dirname(path))  # noqa: PTH120 - called very often
            elif verdict is not Verdict.LIES:
                return abi.ERRORS["sync_folder"][verdict]
        return int(self._real["openDirectory"](name, out))


@cache
def load_libraries() -> tuple[Library, ...]:
    """The libraries as this process has them loaded. Raises :class:`NoLibraryError`."""
    modules = (server_store.sqlite, vars(client_store)["sqlite3"])
    names = {"pysqlite3._sqlite3" if "pysqlite3" in m.__name__ else "_sqlite3" for m in modules}
    files = {getattr(sys.modules[name], "__file__", None) for name in sorted(names)}
    return tuple(Library(ctypes.CDLL(file)) for file in files)


@contextmanager
def watch_sqlite(machines: Machines) -> Iterator[None]:
    """Puts the layer beneath the SQLite libraries of this process."""
    libraries = load_libraries()
    for library in libraries:
        library.start(machines)
    try:
        yield
    finally:
        for library in libraries:
            library.stop()
