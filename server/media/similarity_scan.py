"""Every hash ever received, in memory, and the exact scan over all of them. Knows no database.

Exact, because what an approximate index misses is missed for ever, and because it is quick
enough: a million hashes take 32 MB and some tens of milliseconds.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.media.similarity import PRINT_BYTES, turn_print

WORDS = PRINT_BYTES // 8
FIRST_ROOM = 1024
BLOCK = 32_768
"""Rows compared at a time: what is written on the way stays in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A blob whose picture is like the one asked for."""

    blob: int
    distance: int
    """Bits of 256 in which the two differ."""
    turned: bool
    """Whether it had to be mirrored or turned for it."""


class PrintMatrix:
    """Hashes by the key of their blob. One thread at a time; rows are added, never taken away."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last = 0
        """Key of the newest row that is here."""
        self._known: set[int] = set()
        self._count = 0
        self._blobs = np.zeros(FIRST_ROOM, np.int64)
        self._words = np.zeros((WORDS, FIRST_ROOM), np.uint64)

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Iterable[tuple[int, int, bytes]], *, window: int = 0) -> None:
        """Adds (key, blob, hash) rows that are not here yet.

        Only keys in the newest ``window`` are remembered, which is what may come a second time.
        """
        fresh = [row for row in rows if row[0] not in self._known]
        if not fresh:
            return
        self._make_room(len(fresh))
        upto = self._count + len(fresh)
        joined = np.frombuffer(b"".join(bits for _key, _blob, bits in fresh), np.uint64)
        self._words[:, self._count : upto] = joined.reshape(-1, WORDS).T
        self._blobs[self._count : upto] = [blob for _key, blob, _bits in fresh]
        self._count = upto
        self.last = max(self.last, *(row[0] for row in fresh))
        self._known |= {row[0] for row in fresh}
        self._known = {key for key in self._known if key > self.last - window}

    def _make_room(self, wanted: int) -> None:
        room = self._words.shape[1]
        while room < self._count + wanted:
            room *= 2
        more = room - self._words.shape[1]
        if more:
            self._words = np.pad(self._words, ((0, 0), (0, more)))
            self._blobs = np.pad(self._blobs, (0, more))

    def find(self, bits: bytes, limit: int) -> list[Near]:
        """The blobs within ``limit`` bits of ``bits`` in any of eight orientations, each once."""
        nearest: dict[int, Near] = {}
        for orientation, turned in enumerate(turn_print(bits)):
            for blob, distance in self.scan(turned, limit):
                found = nearest.get(blob)
                if found is None or distance < found.distance:
                    nearest[blob] = Near(blob=blob, distance=distance, turned=orientation > 0)
        return sorted(nearest.values(), key=lambda near: (near.distance, near.blob))

    def scan(self, bits: bytes, limit: int) -> list[tuple[int, int]]:
        """(blob, distance) of every row within ``limit`` bits of ``bits`` as they stand."""
        asked = np.frombuffer(bits, np.uint64)
        found: list[tuple[int, int]] = []
        for start in range(0, self._count, BLOCK):
            stop = min(start + BLOCK, self._count)
            rows, distances = _compare(self._words[:, start:stop], asked, limit)
            found += zip(self._blobs[start + rows].tolist(), distances.tolist(), strict=True)
        return found


def _compare(
    words: NDArray[np.uint64], asked: NDArray[np.uint64], limit: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Two words tell most rows apart; what they leave is compared in full. Exact all the same."""
    half = np.bitwise_count(words[0] ^ asked[0]) + np.bitwise_count(words[1] ^ asked[1])
    rows = np.flatnonzero(half <= limit)
    rest = np.bitwise_count(words[2:, rows] ^ asked[2:, None]).sum(axis=0, dtype=np.int64)
    whole = half[rows] + rest
    near = whole <= limit
    return rows[near], whole[near]
