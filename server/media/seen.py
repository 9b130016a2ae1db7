"""What looking inside a file can find, as values. They cross from the limited process to ours."""

from typing import Literal

import msgspec

Content = Literal["readable", "damaged", "unsupported"]

Reason = Literal[
    "empty",
    "not_a_picture",
    "opaque",
    "needs_heic",
    "too_many_pixels",
    "too_many_frames",
    "too_many_pages",
    "locked",
    "broken",
    "memory",
    "time",
    "ended",
]
"""Why no picture could be made: the bytes are kept whatever it is."""


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """A JPEG made from the pixels alone: upright, without metadata."""

    content: bytes
    width: int
    height: int


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture is recognised by; see ``similarity``."""

    prints: tuple[bytes, ...]
    """Perceptual hashes, 32 bytes each: of the whole, and of what lies within flat borders.
    Empty for a picture without features."""
    bare_sha256: str | None
    """SHA-256 of a JPEG without its metadata, in hex."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers behind the advice to take a photo again."""

    sharpness: int
    """Variance of the Laplacian at 800 pixels on the longer side."""
    brightness: int
    """Mean luma, 0 (black) to 255."""


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag_field="seen", tag="picture"):
    """What a readable picture shows of itself; ``width`` and ``height`` are upright pixels.

    ``claims`` are what its metadata says (``taken``, ``make``, ``lat`` …), as text: claims, not
    facts; ``dropped`` names those that made no sense, each with why.
    """

    type: str
    width: int
    height: int
    frames: int
    """Frames of an animation or pages of a document; the first one is shown."""
    preview: Rendition
    thumbnail: Rendition
    claims: dict[str, str]
    dropped: dict[str, str]
    quality: Quality
    marks: Marks


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag_field="seen", tag="unreadable"):
    """No picture could be made; ``type`` is what the bytes are, where the list knows it."""

    content: Content
    reason: Reason
    type: str | None = None


Result = Picture | Unreadable
