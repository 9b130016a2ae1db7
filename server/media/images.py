"""Looks inside bytes that claim to be a picture. The only module that imports Pillow.

Decoding hostile files is the danger here: call it in a limited process (``nursery.py``), never
in one that serves requests. Nothing here raises because of what a file contains.
"""

import io
import math
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from server.media import similarity
from server.media.bare import hash_bare
from server.media.claims import read_claims
from server.media.documents import read_page
from server.media.seen import Marks, Picture, Quality, Reason, Rendition, Result, Unreadable
from server.media.sniffing import HEIC, JPEG, OPAQUE, PDF, PICTURES, PNG, START_BYTES, WEBP, sniff

FORMATS = {JPEG: "JPEG", PNG: "PNG", WEBP: "WEBP", HEIC: "HEIF"}
MAX_PIXELS = 120_000_000
MAX_DECODED = 50_000_000
"""Pixels held at once: a JPEG is decoded smaller, other formats cannot be (A13)."""
MAX_SIDE = 30_000
MAX_FRAMES = 500
PREVIEW_PIXELS = 1600
THUMBNAIL_PIXELS = 320
MEASURED_PIXELS = 800
SHRINKING = Image.Resampling.HAMMING
"""As sharp as the cubic filter where a picture becomes smaller, at half its cost."""
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
STANDARD_COLOURS = ImageCms.createProfile("sRGB")

Tags = Mapping[int, Any]


def has_heic() -> bool:
    """Whether the extra that decodes HEIC is installed; makes it known to Pillow."""
    try:
        import_module("pillow_heif").register_heif_opener(thumbnails=False)
    except ImportError:
        return False
    return True


def warm_up() -> None:
    """Loads what the first picture of each format would load: children may open no file for it."""
    has_heic()
    exif = Image.Exif()
    exif[DETAILS] = {0x9003: "2026:01:01 00:00:00", 0x9011: "+00:00"}
    profile = ImageCms.ImageCmsProfile(STANDARD_COLOURS).tobytes()
    for format_ in ("JPEG", "PNG", "WEBP", "PDF"):
        drawn = io.BytesIO()
        Image.new("RGB", (8, 8)).save(drawn, format_, exif=exif, icc_profile=profile)
        drawn.seek(0)
        examine(drawn)


def examine(file: BinaryIO) -> Result:
    """Renders what is in ``file``; every failure is a value."""
    start = file.read(START_BYTES)
    file.seek(0)
    type_ = sniff(start)
    if type_ is None:
        reason: Reason = "not_a_picture" if start else "empty"
        return Unreadable(content="unsupported", reason=reason)
    if type_ in OPAQUE:
        return Unreadable(content="unsupported", reason="opaque", type=type_)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns where our own limits decide
            return _read_pdf(file) if type_ == PDF else _read_picture(file, type_)
    except MemoryError:
        return Unreadable(content="unsupported", reason="memory", type=type_)
    except Exception:  # codecs raise anything, ValueError to struct.error
        return Unreadable(content="damaged", reason="broken", type=type_)


def _read_pdf(file: BinaryIO) -> Result:
    page = read_page(file)
    if isinstance(page, Unreadable):
        return page
    shown = Image.fromarray(page.pixels)
    gray = _shrink(shown.convert("L"), MEASURED_PIXELS)
    return Picture(
        type=PDF,
        width=shown.width,
        height=shown.height,
        frames=page.pages,
        preview=_encode(shown),
        thumbnail=_encode(_shrink(shown, THUMBNAIL_PIXELS)),
        claims={},
        dropped={},
        quality=_measure(gray),
        marks=Marks(prints=(), bare_sha256=None),  # forms of one seller look alike
    )


def _read_picture(file: BinaryIO, type_: str) -> Result:
    if type_ == HEIC and not has_heic():
        return Unreadable(content="unsupported", reason="needs_heic", type=type_)
    Image.MAX_IMAGE_PIXELS = None  # the limits here refuse, where the library's own only warn
    with Image.open(file, formats=[FORMATS[type_]]) as image:
        refusal = _refuse(image, type_)
        if refusal is not None:
            return refusal
        width, height = image.size
        frames = int(getattr(image, "n_frames", 1))
        _load(image)
        main, details, position = _metadata(image)  # of a PNG only after it was decoded
        orientation = main.get(ORIENTATION)
        preview = _turn_upright(_shrink_flat(image), orientation)
    claims, dropped = read_claims(main, details, position)
    gray = _shrink(preview.convert("L"), MEASURED_PIXELS)
    return Picture(
        type=type_,
        width=height if orientation in SIDEWAYS else width,
        height=width if orientation in SIDEWAYS else height,
        frames=frames,
        preview=_encode(preview),
        thumbnail=_encode(_shrink(preview, THUMBNAIL_PIXELS)),
        claims=claims,
        dropped=dropped,
        quality=_measure(gray),
        marks=Marks(prints=_prints(gray), bare_sha256=_bare(file) if type_ == JPEG else None),
    )


def _refuse(image: Image.Image, type_: str) -> Unreadable | None:
    """A13: by what the header says, before anything is decoded."""
    most = MAX_PIXELS if type_ == JPEG else MAX_DECODED
    if image.width * image.height > most or max(image.size) > MAX_SIDE:
        return Unreadable(content="unsupported", reason="too_many_pixels", type=type_)
    if type_ in PICTURES - {JPEG} and getattr(image, "n_frames", 1) > MAX_FRAMES:
        return Unreadable(content="unsupported", reason="too_many_frames", type=type_)
    return None


def _metadata(image: Image.Image) -> tuple[Tags, Tags, Tags]:
    """The main, detail and position tags; garbage there never spoils the picture."""
    try:
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(DETAILS)), dict(exif.get_ifd(POSITION))
    except Exception:  # the parser raises whatever the garbage leads it to
        return {}, {}, {}


def _load(image: Image.Image) -> None:
    """Decodes the first frame, a JPEG no larger than is needed. Raises what the codec raises."""
    scale = min(1.0, PREVIEW_PIXELS / max(image.size))
    # A box of the picture's own shape: a square one makes the decoder read at full size.
    image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    if image.width * image.height > MAX_DECODED:
        raise MemoryError
    image.load()


def _shrink_flat(image: Image.Image) -> Image.Image:
    """RGB on white in standard colours, at most ``PREVIEW_PIXELS`` on the longer side."""
    flat = _flatten(image)
    flat.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS), SHRINKING, reducing_gap=None)
    if image.mode == "RGB" and image.info.get("icc_profile"):
        flat = _to_standard_colours(flat, image.info["icc_profile"])
    return flat


def _turn_upright(image: Image.Image, orientation: Any) -> Image.Image:
    turn = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _flatten(image: Image.Image) -> Image.Image:
    """RGB without transparency, on white."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _to_standard_colours(image: Image.Image, profile: bytes) -> Image.Image:
    """sRGB by the picture's own colour profile; a profile that makes no sense is passed over."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(own):
            return image
        return ImageCms.profileToProfile(image, own, STANDARD_COLOURS) or image
    except Exception:  # the library raises whatever the garbage leads it to
        return image


def _shrink(image: Image.Image, longest: int) -> Image.Image:
    """A copy with no more than so many pixels on its longer side."""
    small = image.copy()
    small.thumbnail((longest, longest), SHRINKING, reducing_gap=1.5)
    return small


def _encode(image: Image.Image) -> Rendition:
    out = io.BytesIO()
    clean = Image.frombytes("RGB", image.size, image.tobytes())  # leaves all metadata behind
    clean.save(out, "JPEG", quality=QUALITY)
    return Rendition(content=out.getvalue(), width=image.width, height=image.height)


def _measure(gray: Image.Image) -> Quality:
    """Sharpness and brightness at a size that does not depend on the camera."""
    levels = _levels(gray).astype(np.int16)
    edges = (
        levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
        - 4 * levels[1:-1, 1:-1]
    )  # fmt: skip
    return Quality(sharpness=int(edges.var()) if edges.size else 0, brightness=int(levels.mean()))


def _levels(gray: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(gray, dtype=np.uint8)


def _prints(gray: Image.Image) -> tuple[bytes, ...]:
    """Of the whole, and of what lies within flat borders: bars may come with a screenshot."""
    box = similarity.find_borders(_levels(gray))
    framed = [] if box is None else [(box.left, box.top, box.right, box.bottom)]
    size = (similarity.SIDE, similarity.SIDE)
    found: list[bytes] = []
    for area in (None, *framed):
        small = _levels(gray.resize(size, Image.Resampling.BOX, box=area))
        if similarity.has_features(small):
            found.append(similarity.to_print(small))
    return tuple(found)


def _bare(file: BinaryIO) -> str | None:
    file.seek(0)
    return hash_bare(file.read())
