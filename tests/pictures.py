"""Picture files for tests: drawn ones, spoilt ones, and camera files where a folder of them is.

``FIELDSTAMP_TEST_PHOTOS`` names a folder with files of real cameras, which are not ours to ship.
"""

import io
import os
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

ORIENTATION = 0x0112


def draw(width: int = 800, height: int = 600, *, seed: int = 1, format: str = "JPEG") -> bytes:
    """A picture with some detail; another ``seed`` gives other bytes."""
    image = Image.new("RGB", (width, height), (seed * 37 % 256, 90, 160))
    pen = ImageDraw.Draw(image)
    for step in range(0, max(width, height), 16):
        pen.line((step, 0, width - step, height), fill=(step % 256, seed % 256, 40), width=3)
    return _save(image, format)


def draw_turned(orientation: int) -> bytes:
    """A 400 x 200 file whose upper left quarter is red, marked with an EXIF ``orientation``."""
    image = Image.new("RGB", (400, 200), "white")
    image.paste((220, 0, 0), (0, 0, 200, 100))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return _save(image, "JPEG", exif=exif)


def draw_tagged() -> bytes:
    """A picture with a maker, a time with its offset, and a place in the southern hemisphere."""
    exif = Image.Exif()
    exif[0x010F] = "Maker\0"
    exif[0x0110] = "Model 1"
    exif[0x8769] = {0x9003: "2026:03:02 09:30:00", 0x9011: "+08:00"}
    exif[0x8825] = {1: "S", 2: (31.0, 30.0, 0.0), 3: "E", 4: (121.0, 15.0, 36.0)}
    return _save(Image.new("RGB", (64, 48), "green"), "JPEG", exif=exif)


def _save(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be ``width`` x ``height``."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"\0" * 99))


def png_bomb(megabytes: int) -> bytes:
    """A small PNG whose text chunk inflates to ``megabytes``."""
    picture = draw(8, 8, format="PNG")
    text = b"x\0\0" + zlib.compress(b"A" * megabytes * 1024 * 1024, 9)
    return picture[:33] + _chunk(b"zTXt", text) + picture[33:]


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def camera_files() -> list[Path]:
    """Real camera files; none where no folder is named."""
    folder = os.environ.get("FIELDSTAMP_TEST_PHOTOS")
    if not folder:
        return []
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() != ".md")


def camera_contents() -> dict[str, bytes]:
    """Name → content of the camera files; of drawn ones, whose names say so, where none are."""
    found = {path.name: path.read_bytes() for path in camera_files()}
    if found:
        return found
    missing = "drawn, as FIELDSTAMP_TEST_PHOTOS names no folder"
    large = Image.open(io.BytesIO(draw(2000, 1500)))
    return {
        f"{missing}: turned": draw_turned(6),
        f"{missing}: tagged": draw_tagged(),
        f"{missing}: progressive": _save(large, "JPEG", progressive=True),
        f"{missing}: gray": _save(large.convert("L"), "JPEG"),
    }
