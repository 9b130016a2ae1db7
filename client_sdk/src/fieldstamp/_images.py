"""Pictures on a device: a small copy where Pillow is installed, strokes inside a PNG."""

import io
import struct
import zlib

try:
    from PIL import Image, ImageOps
except ImportError:
    Image = None  # type: ignore[assignment]

_LONGEST_SIDE = 1280
_QUALITY = 70
_WORTH_IT = 256 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_STROKES = b"fieldstamp-strokes\0"


def small_copy(content: bytes) -> bytes | None:
    """An upright JPEG of at most 1280 pixels a side; None where it would not help.

    A picture that cannot be read is no reason to refuse it: the original is the evidence.
    """
    if Image is None or len(content) < _WORTH_IT:
        return None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
            out = io.BytesIO()
            upright.save(out, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return out.getvalue()


def with_strokes(image: bytes, strokes: bytes) -> bytes:
    """A PNG that carries ``strokes`` (ASCII JSON) in a text chunk, so that both are one file.

    Raises ValueError when ``image`` is not a whole PNG.
    """
    if not image.startswith(_PNG) or not image.endswith(_END):
        raise ValueError("strokes travel inside a PNG")
    body = b"tEXt" + _STROKES + strokes
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return image[: -len(_END)] + chunk + _END
