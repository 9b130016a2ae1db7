"""Looks inside bytes that claim to be a picture. The only module that imports Pillow.

Decoding hostile files is the danger here: call it in a limited process (``examine.py``), never
in one that serves requests. Nothing here raises because of what a file contains.
"""

import io
import math
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec
from PIL import Image

from server.media.claims import read_claims

FORMATS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MAX_PIXELS = 120_000_000
MAX_SIDE = 30_000
PREVIEW_PIXELS = 1600
THUMBNAIL_PIXELS = 320
QUALITY = 82
DETAILS, POSITION, ORIENTATION = 0x8769, 0x8825, 0x0112
UPRIGHT: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what turns the picture upright."""
SIDEWAYS = frozenset({5, 6, 7, 8})
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """A JPEG made from the pixels alone: upright, without metadata."""

    content: bytes
    width: int
    height: int


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag_field="seen", tag="picture"):
    """What a readable picture shows of itself; ``width`` and ``height`` are upright.

    ``claims`` are what its metadata says (``taken``, ``offset``, ``make``, ``model``, ``lat``,
    ``lon``), as text: claims, not facts.
    """

    type: str
    width: int
    height: int
    preview: Rendition
    thumbnail: Rendition
    claims: dict[str, str]


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag_field="seen", tag="unreadable"):
    """No picture could be made; ``content`` is ``damaged`` or ``unsupported``."""

    content: str
    reason: str


def examine(file: BinaryIO) -> Picture | Unreadable:
    """Renders what is in ``file``; every failure is a value."""
    start = file.read(16)
    file.seek(0)
    known = start.startswith(SIGNATURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns where our own limits decide
            return _examine(file)
    except MemoryError:
        return Unreadable(content="unsupported", reason="memory")
    except Exception as error:  # codecs raise anything, ValueError to struct.error
        content = "damaged" if known else "unsupported"
        return Unreadable(content=content, reason=type(error).__name__)


def _examine(file: BinaryIO) -> Picture | Unreadable:
    Image.MAX_IMAGE_PIXELS = None  # the limit below refuses, where the library's own only warns
    with Image.open(file, formats=["JPEG", "PNG", "WEBP"]) as image:
        width, height = image.size
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            return Unreadable(content="unsupported", reason="too_many_pixels")
        main, details, position = _metadata(image)
        orientation = main.get(ORIENTATION)
        preview = _decode(image, orientation)
    thumbnail = preview.copy()
    thumbnail.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), reducing_gap=None)
    return Picture(
        type=FORMATS[image.format or ""],
        width=height if orientation in SIDEWAYS else width,
        height=width if orientation in SIDEWAYS else height,
        preview=_encode(preview),
        thumbnail=_encode(thumbnail),
        claims=read_claims(main, details, position),
    )


def _metadata(image: Image.Image) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """The main, detail and position tags; garbage there never spoils the picture."""
    try:
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(DETAILS)), dict(exif.get_ifd(POSITION))
    except Exception:  # the parser raises whatever the garbage leads it to
        return {}, {}, {}


def _decode(image: Image.Image, orientation: Any) -> Image.Image:
    """The first frame, upright, in RGB, at most ``PREVIEW_PIXELS`` on its longer side."""
    scale = min(1.0, PREVIEW_PIXELS / max(image.size))
    # A box of the picture's own shape: a square one makes the decoder read at full size.
    image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    image.load()
    flat = _flatten(image)
    flat.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS), reducing_gap=None)
    turn = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return flat if turn is None else flat.transpose(turn)


def _flatten(image: Image.Image) -> Image.Image:
    """RGB without transparency, on white."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _encode(image: Image.Image) -> Rendition:
    out = io.BytesIO()
    clean = Image.frombytes("RGB", image.size, image.tobytes())  # leaves all metadata behind
    clean.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Rendition(content=out.getvalue(), width=image.width, height=image.height)
