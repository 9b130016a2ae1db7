"""Hashes of uploads that are under way, so that no byte is read back only to be hashed.

Kept by one process for as long as it runs. Knows no table and no file.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import Any

MOST = 4096


class RunningHashes:
    """The SHA-256 of the counted bytes of each upload that this process has seen from its
    beginning; the one that was longest without a byte is forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._changing = threading.Lock()

    def take(self, upload: str, *, place: int) -> Any:
        """The hash of the first ``place`` bytes, to be gone on with; None where it is unknown."""
        with self._changing:
            known = self._known.pop(upload, None)
        if place == 0:
            return hashlib.sha256()
        return known[1] if known is not None and known[0] == place else None

    def keep(self, upload: str, found: Any, *, place: int) -> None:
        """``found`` is the hash of the first ``place`` bytes, all of which count (M1)."""
        with self._changing:
            self._known[upload] = (place, found.copy())
            self._known.move_to_end(upload)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
