"""The real clock, chance and disk of this machine: the only module that asks for them."""

import contextlib
import datetime
import errno
import os
import secrets
import sys
import time
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNKNOWN_THERE = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a file system answers to what it does not know."""
_NO_LINKS = _UNKNOWN_THERE | {errno.EPERM, errno.EACCES}
_HELD_ELSEWHERE = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class SystemClock:
    """The wall and monotonic clocks of the operating system."""

    def __init__(self) -> None:
        try:
            self._boot = _BOOT_ID.read_text().strip()
        except OSError:
            self._boot = secrets.token_hex(8)

    def now(self) -> datetime.datetime:
        """Wall time in the zone the device is set to."""
        return datetime.datetime.now().astimezone()

    def monotonic_ms(self) -> int:
        """Milliseconds since the start of the system, sleep included where it can be known."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return time.monotonic_ns() // 1_000_000

    def boot(self) -> str:
        """The id of this start of the system, or of this process where the system has none."""
        return self._boot


class SystemEntropy:
    """The operating system's random source."""

    def secret(self, size: int) -> bytes:
        """``size`` bytes fit for keys."""
        return secrets.token_bytes(size)

    def fraction(self) -> float:
        """A number from 0 up to, not including, 1."""
        return secrets.randbits(53) / 2**53


class SystemDisk:
    """Ordinary files, flushed before anything relies on them."""

    def __init__(self) -> None:
        self._flushed: set[Path] = set()

    def write_new(self, path: Path, content: bytes) -> None:
        """Writes and flushes ``path``; an unfinished file of that name is started again."""
        with path.open("wb") as part:
            part.write(content)
            part.flush()
            _flush(part.fileno())

    def publish(self, part: Path, final: Path) -> None:
        """M3: a link fails where a name exists, so a whole file is never overwritten."""
        try:
            os.link(part, final)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not final.exists():
                part.rename(final)
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        _flush_folder(final.parent)

    def replace(self, part: Path, final: Path) -> None:
        """Puts ``part`` in the place of ``final`` in one step."""
        part.replace(final)
        _flush_folder(final.parent)

    def read(self, path: Path, *, offset: int = 0, size: int = -1) -> bytes:
        """Up to ``size`` bytes from ``offset``; all that follow when ``size`` is negative."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def remove(self, path: Path) -> None:
        """Removes ``path`` where it is there."""
        path.unlink(missing_ok=True)

    def exists(self, path: Path) -> bool:
        """Whether ``path`` is there."""
        return path.exists()

    def make_folder(self, path: Path) -> None:
        """Makes ``path`` if missing; its name is flushed too, whoever made it (P6)."""
        if path in self._flushed and path.is_dir():
            return
        path.mkdir(parents=True, exist_ok=True)
        _flush_folder(path.parent)
        self._flushed.add(path)

    def files(self, folder: Path) -> list[tuple[Path, int]]:
        """Every file beneath ``folder`` with its size."""
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(path, path.stat().st_size) for path in found]


def flush_leftovers(store: Path) -> None:
    """Brings to the disk what a process wrote last that was killed before it could.

    P6: the next one reads it as saved, and shows it to a person.
    """
    for ending in ("-wal", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            with store.with_name(store.name + ending).open("r+b") as left:
                _flush(left.fileno())
            _flush_folder(store.parent)


class FileLock:
    """One holder at a time among all processes; the system frees it when a process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """True when this process now holds the lock, False when another one does.

        Raises OSError where nobody can hold one there, which is never told as somebody else's.
        """
        handle = self._path.open("ab")
        try:
            if sys.platform == "win32":
                msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            if error.errno not in _HELD_ELSEWHERE:
                raise
            return False
        self._file = handle
        return True

    def free(self) -> None:
        """Lets the next one in."""
        if self._file is not None:
            self._file.close()
            self._file = None


def uuid7(at: datetime.datetime, tail: bytes) -> str:
    """A UUIDv7 (RFC 9562) of the time ``at`` and ten random bytes."""
    milliseconds = int(at.timestamp() * 1000) & (2**48 - 1)
    raw = bytearray(milliseconds.to_bytes(6, "big") + tail[:10])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _flush(handle: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


def _flush_folder(path: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # P6: where folders know no flush, refusing all work would keep nothing safer.
        if error.errno not in _UNKNOWN_THERE:
            raise
    finally:
        os.close(handle)
