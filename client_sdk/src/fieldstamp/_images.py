"""Pictures on a device: a small copy where Pillow is installed, strokes inside a PNG."""

import io
import math
import struct
import warnings
import zlib

try:
    from PIL import Image
except ImportError:
    Image = None  # type: ignore[assignment]

_FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
"""What cameras write; the last one is there where the host application has made it known."""
_LONGEST_SIDE = 1280
_MOST_DECODED = 50_000_000
"""Pixels held at once; of a JPEG no more are decoded than are needed."""
_QUALITY = 70
_WORTH_IT = 256 * 1024
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_STROKES = b"fieldstamp-strokes\0"


def small_copy(content: bytes) -> bytes | None:
    """An upright JPEG of at most 1280 pixels a side; None where it would not help.

    P6: a picture that cannot be read is no reason to refuse it: the original is the evidence.
    """
    if Image is None or len(content) < _WORTH_IT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            small = _shrink(content)
    except Exception:  # codecs and tags raise whatever the garbage leads them to
        return None
    return small if small and len(small) < len(content) else None


def _shrink(content: bytes) -> bytes | None:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
        scale = min(1.0, _LONGEST_SIDE / max(picture.size))
        # A box of the picture's own shape: a square one makes the decoder read at full size.
        picture.draft("RGB", (math.ceil(picture.width * scale), math.ceil(picture.height * scale)))
        if picture.width * picture.height > _MOST_DECODED:
            return None
        small = picture.convert("RGB")
        turn = _turn_of(picture)
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), reducing_gap=None)
    out = io.BytesIO()
    (small if turn is None else small.transpose(turn)).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _turn_of(picture: "Image.Image") -> "Image.Transpose | None":
    """What turns it upright; garbage in the tags does not spoil the picture."""
    try:
        return Image.Transpose[_UPRIGHT[picture.getexif()[_ORIENTATION]]]
    except Exception:  # the parser raises whatever the garbage leads it to
        return None


def with_strokes(image: bytes, strokes: bytes) -> bytes:
    """A PNG that carries ``strokes`` (ASCII JSON) in a text chunk, so that both are one file.

    Raises ValueError when ``image`` is not a whole PNG.
    """
    if not image.startswith(_PNG) or not image.endswith(_END):
        raise ValueError("strokes travel inside a PNG")
    body = b"tEXt" + _STROKES + strokes
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return image[: -len(_END)] + chunk + _END
