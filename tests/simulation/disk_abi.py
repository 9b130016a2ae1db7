"""SQLite's C interface to a file system as ctypes see it: structures and codes. No behaviour."""

from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, PYFUNCTYPE, Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Any

from tests.simulation.disk_machine import Verdict

OK, CANTOPEN, FULL, IOERR = 0, 14, 13, 10
IOERR_WRITE, IOERR_SYNC, IOERR_TRUNCATE = IOERR | 3 << 8, IOERR | 4 << 8, IOERR | 6 << 8
IOERR_DELETE, IOERR_MAP = IOERR | 10 << 8, IOERR | 19 << 8

CREATE = 0x4
TEMPORARY = 0x8 | 0x200 | 0x400 | 0x1000 | 0x2000
NAME_COMES_WITH_SYNC = 0x800 | 0x4000 | 0x80000
"""Journals and logs: the library syncs the folder at the first sync of one that it made."""

ERRORS = {
    "create": {Verdict.FULL: CANTOPEN, Verdict.BROKEN: CANTOPEN, Verdict.DIES: CANTOPEN},
    "write": {Verdict.FULL: FULL, Verdict.BROKEN: IOERR_WRITE, Verdict.DIES: IOERR_WRITE},
    "truncate": dict.fromkeys(Verdict, IOERR_TRUNCATE),
    "sync": {Verdict.FULL: FULL, Verdict.BROKEN: IOERR_SYNC, Verdict.DIES: IOERR_SYNC},
    "sync_folder": dict.fromkeys(Verdict, CANTOPEN),
    "unlink": dict.fromkeys(Verdict, IOERR_DELETE),
    "map": {Verdict.FULL: IOERR_MAP, Verdict.BROKEN: IOERR_MAP, Verdict.DIES: IOERR_MAP},
}
"""What the library is told when an action does not go well."""

SHAPES: dict[str, tuple[Any, ...]] = {
    "xOpen": (c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p),
    "xDelete": (c_int, c_void_p, c_void_p, c_int),
    "xSetSystemCall": (c_int, c_void_p, c_char_p, c_void_p),
    "xGetSystemCall": (c_void_p, c_void_p, c_char_p),
    "openDirectory": (c_int, c_void_p, c_void_p),
    "xClose": (c_int, c_void_p),
    "xWrite": (c_int, c_void_p, c_void_p, c_int, c_int64),
    "xTruncate": (c_int, c_void_p, c_int64),
    "xSync": (c_int, c_void_p, c_int),
    "xShmMap": (c_int, c_void_p, c_int, c_int, c_int, c_void_p),
    "dead": (c_int, c_void_p),
}
OF_A_FILE = ("xClose", "xWrite", "xTruncate", "xSync", "xShmMap")
"""The methods of an open file that the layer stands before."""
CUT_OFF = ("xRead", "xWrite", "xTruncate", "xSync", "xLock", "xShmMap", "xShmLock")
"""The methods that fail once the machine was restarted under an open file."""


class Vfs(Structure):
    """``sqlite3_vfs``"""


Vfs._fields_ = [
    ("iVersion", c_int),
    ("szOsFile", c_int),
    ("mxPathname", c_int),
    ("pNext", POINTER(Vfs)),
    ("zName", c_char_p),
    ("pAppData", c_void_p),
    *(
        (name, c_void_p)
        for name in [
            "xOpen",
            "xDelete",
            "xAccess",
            "xFullPathname",
            "xDlOpen",
            "xDlError",
            "xDlSym",
            "xDlClose",
            "xRandomness",
            "xSleep",
            "xCurrentTime",
            "xGetLastError",
            "xCurrentTimeInt64",
            "xSetSystemCall",
            "xGetSystemCall",
            "xNextSystemCall",
        ]
    ),
]


class Methods(Structure):
    """``sqlite3_io_methods``, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        *(
            (name, c_void_p)
            for name in [
                "xClose",
                "xRead",
                "xWrite",
                "xTruncate",
                "xSync",
                "xFileSize",
                "xLock",
                "xUnlock",
                "xCheckReservedLock",
                "xFileControl",
                "xSectorSize",
                "xDeviceCharacteristics",
                "xShmMap",
                "xShmLock",
                "xShmBarrier",
                "xShmUnmap",
                "xFetch",
                "xUnfetch",
            ]
        ),
    )


def function_at(address: int, name: str) -> Callable[..., Any]:
    """The C function ``name`` as one that can be called."""
    found: Callable[..., Any] = PYFUNCTYPE(*SHAPES[name])(address)
    return found


def callback(name: str, function: Callable[..., int]) -> Any:
    """``function`` as C can call it; to be kept as long as C may."""
    return CFUNCTYPE(*SHAPES[name])(function)
