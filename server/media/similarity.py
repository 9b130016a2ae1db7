"""What a picture is recognised by: 256 bits of its coarse shape. Pure arithmetic on gray pixels.

The hash keeps the signs of the 16 x 16 lowest frequencies, without the constant ones, of a 64 x 64
gray picture (after PDQ: Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing
algorithm", 2019, which compares with the median). Mirroring a picture negates every second row or
column of them, turning it transposes them: with signs, all eight orientations follow from the
hash itself. Crops of more than about 5 % a side are not recognised.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Pixels a side of what is hashed."""
LOW = 16
"""Frequencies a side that are kept."""
PRINT_BYTES = LOW * LOW // 8
ORIENTATIONS = 8

LEAST_DETAIL = 4.0
"""Standard deviation of the 64 x 64 gray levels (0 to 255) below which there is nothing to
recognise: a wall, a lens cap, an empty sheet."""
FLAT_LEVELS = 12
"""A border's line deviates from its outermost line by no more than so many gray levels."""
FLAT_SHARE = 0.995
"""…in so large a share of its pixels: JPEG noise at an edge may exceed it."""
MOST_TRIMMED = 0.45
"""Share of a side that borders may take on each end."""
LEAST_TRIMMED = 0.02
"""Share of a side below which a border is none: the edge of a shelf, a shadow."""

Gray = NDArray[np.uint8]

_STEPS = np.arange(SIDE) + 0.5
_WAVES = np.cos(np.pi / SIDE * np.outer(np.arange(1, LOW + 1), _STEPS))
"""Rows of the DCT-II matrix, without the constant one."""
_ODD = (np.arange(LOW) % 2 == 0).astype(np.uint8)
"""Mirroring negates the odd frequencies 1, 3, 5 …, which stand at the even places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What lies within flat borders, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def has_features(small: Gray) -> bool:
    """Whether a 64 x 64 picture has anything that could be recognised."""
    return float(small.std()) >= LEAST_DETAIL


def to_print(small: Gray) -> bytes:
    """The 32 bytes that a 64 x 64 gray picture is compared by."""
    low = _WAVES @ small.astype(np.float64) @ _WAVES.T
    return np.packbits(low > 0).tobytes()


def turn_print(found: bytes) -> tuple[bytes, ...]:
    """The hash of the same picture as it stands, then mirrored and turned in every way."""
    bits = np.unpackbits(np.frombuffer(found, np.uint8)).reshape(LOW, LOW)
    columns = bits ^ _ODD
    rows = bits ^ _ODD[:, None]
    both = columns ^ _ODD[:, None]
    flips = (bits, columns, rows, both)
    return tuple(np.packbits(one).tobytes() for flip in flips for one in (flip, flip.T))


def find_borders(gray: Gray) -> Box | None:
    """What is left without flat bars at the edges; None where there are none worth the name."""
    top, bottom = _depth(gray), _depth(gray[::-1])
    left, right = _depth(gray.T), _depth(gray.T[::-1])
    height, width = gray.shape
    if max((top + bottom) / height, (left + right) / width) < LEAST_TRIMMED:
        return None
    return Box(left=left, top=top, right=width - right, bottom=height - bottom)


def _depth(gray: Gray) -> int:
    """How many lines at the beginning are one flat bar of one level."""
    limit = int(gray.shape[0] * MOST_TRIMMED)
    lines = gray[:limit].astype(np.int16)
    level = int(np.median(lines[0])) if limit else 0
    flat = (np.abs(lines - level) <= FLAT_LEVELS).mean(axis=1) >= FLAT_SHARE
    return limit if flat.all() else int(np.argmin(flat))
