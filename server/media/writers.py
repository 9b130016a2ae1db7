"""Who is bringing bytes to an upload now, so that a newer request can let an older one end.

A courtesy among requests, also among processes: which of them may write is decided by the lease
alone. Knows no table.
"""

import fcntl
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STEP_SECONDS = 0.01
WAIT_STEPS = 150
ASKED_STEPS = 1000
"""Who was asked ends as soon as the disk lets it, which on a busy machine is not at once."""


class Post:
    """The place of the newest writer of one upload, among all processes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def is_held(self) -> bool:
        """Whether nobody has come since; False also where the upload is over."""
        return os.fstat(self._descriptor).st_nlink > 0


class Writers:
    """The writers of uploads whose bytes lie in ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stops: defaultdict[str, list[Callable[[], object]]] = defaultdict(list)
        self._changing = threading.Lock()

    def path(self, upload: str) -> Path:
        """A file that the newest writer of ``upload`` has made and locked."""
        return self._root / f"{upload}.writer"

    @contextmanager
    def at_work(self, upload: str, stop: Callable[[], object]) -> Iterator[Post]:
        """Brings bytes meanwhile; ``stop`` makes an end to them, called from another thread."""
        with self._known(upload, stop):  # before the post, so that who finds that taken can ask
            descriptor = self._take_post(upload)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield Post(descriptor)
            finally:
                os.close(descriptor)

    def _take_post(self, upload: str) -> int:
        """A file of its own, so that whoever had the one before sees that it is gone."""
        while True:
            self.forget(upload)
            with suppress(FileExistsError):  # another one was quicker, and is older now
                return os.open(self.path(upload), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    @contextmanager
    def _known(self, upload: str, stop: Callable[[], object]) -> Iterator[None]:
        with self._changing:
            self._stops[upload].append(stop)
        try:
            yield
        finally:
            with self._changing:
                self._stops[upload].remove(stop)
                if not self._stops[upload]:
                    del self._stops[upload]

    def relieve(self, upload: str) -> bool:
        """Asks the writers of ``upload`` to end, and waits a moment for them to keep what they
        have; whether there were any.

        One of another process is not asked, only waited for: it ends by itself where its
        connection broke. Nor is one that hangs waited for any longer; it loses its lease.
        """
        try:
            descriptor = os.open(self.path(upload), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            if _is_free(descriptor):
                return False
            pause = threading.Event()
            for _ in range(ASKED_STEPS if self._stop(upload) else WAIT_STEPS):
                if _is_free(descriptor):
                    break
                pause.wait(STEP_SECONDS)
            return True
        finally:
            os.close(descriptor)

    def _stop(self, upload: str) -> bool:
        """Whether there was anybody to ask."""
        with self._changing:  # so that no connection is shut that serves another request by now
            asked = self._stops.get(upload, ())
            for stop in asked:
                stop()
            return bool(asked)

    def forget(self, upload: str) -> None:
        """Nobody has the post any more."""
        self.path(upload).unlink(missing_ok=True)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True
