"""The SHA-256 of a JPEG without its metadata: equal after its EXIF was rewritten. Pure.

Markers: ITU-T T.81, table B.1.
"""

import hashlib

SCAN, COMMENT = 0xDA, 0xFE
FILL = 0xFF
"""Begins every marker, and may stand before one any number of times."""
END_OF_IMAGE = b"\xff\xd9"
METADATA = frozenset({*range(0xE0, 0xF0), COMMENT, FILL})
"""Application segments, comments, and what is none."""


def hash_bare(jpeg: bytes) -> str | None:
    """Hex SHA-256 over the segments that make the picture; None where there are none to find."""
    digest = hashlib.sha256()
    at = 2
    while marker := _marker(jpeg, at):
        if marker == SCAN:
            digest.update(memoryview(jpeg)[at : _end_of_scans(jpeg, at)])
            return digest.hexdigest()
        behind = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if marker not in METADATA:
            digest.update(memoryview(jpeg)[at:behind])
        at = behind if marker != FILL else at + 1
    return None


def _marker(jpeg: bytes, at: int) -> int | None:
    """The marker at ``at``; None where no segment begins there."""
    return jpeg[at + 1] if at + 4 <= len(jpeg) and jpeg[at] == FILL else None


def _end_of_scans(jpeg: bytes, at: int) -> int:
    """Where the picture ends: what a camera or a forger appends behind it is no part of it."""
    found = jpeg.find(END_OF_IMAGE, at)
    return len(jpeg) if found < 0 else found
