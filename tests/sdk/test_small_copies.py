"""Small copies of photos, made on the device: of what cameras write, never at a photo's cost."""

import io
import struct

import pytest
from PIL import Image, ImageDraw

from fieldstamp import Client
from fieldstamp._images import small_copy
from tests.fuzz.images import make_files
from tests.pictures import png_bomb, png_header
from tests.sdk.office import Office

WORTH_IT = 256 * 1024
SIZE = (1600, 1200)
ORIENTATION, ACROSS, PADDING = 0x0112, 0x011A, 0xEA1C
SHORT, TEXT, LONG = 3, 2, 4
MUTATED = 60


def tags(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF of (tag, type, count, four bytes) as they stand, sense or no sense."""
    body = b"".join(struct.pack(">HHI4s", *entry) for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + body + bytes(4)


def draw_large(exif: bytes = b"", format_: str = "JPEG") -> bytes:
    """A photo worth a small copy, whose upper left quarter is red."""
    image = Image.effect_noise(SIZE, 90).convert("RGB")
    ImageDraw.Draw(image).rectangle((0, 0, SIZE[0] // 2, SIZE[1] // 2), fill=(220, 0, 0))
    out = io.BytesIO()
    image.save(out, format_, exif=exif, quality=90)
    assert len(out.getvalue()) > WORTH_IT
    return out.getvalue()


def is_red(copy: Image.Image, across: float, down: float) -> bool:
    """Whether the picture is red at that share of its sides."""
    seen = copy.getpixel((int(copy.width * across), int(copy.height * down)))
    assert isinstance(seen, tuple)
    return seen[0] > 180 and seen[1] < 60


@pytest.mark.parametrize(
    ("orientation", "place"),
    [
        (1, (0.2, 0.2)),
        (2, (0.8, 0.2)),
        (3, (0.8, 0.8)),
        (4, (0.2, 0.8)),
        (5, (0.2, 0.2)),
        (6, (0.8, 0.2)),
        (7, (0.8, 0.8)),
        (8, (0.2, 0.8)),
        (99, (0.2, 0.2)),
    ],
)
def test_a_small_copy_is_upright_and_small(orientation: int, place: tuple[float, float]) -> None:
    content = draw_large(tags((ORIENTATION, SHORT, 1, struct.pack(">HH", orientation, 0))))
    made = small_copy(content)
    assert made is not None
    copy = Image.open(io.BytesIO(made))
    wanted = (960, 1280) if 5 <= orientation <= 8 else (1280, 960)
    assert (copy.size, len(made) < len(content) / 2) == (wanted, True)
    assert is_red(copy, *place)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_p6_a_photo_with_senseless_tags_is_saved_with_its_small_copy(
    client: Client, office: Office, format_: str
) -> None:
    upside_down = (ORIENTATION, SHORT, 1, b"\0\3\0\0")
    senseless = [(ACROSS, TEXT, 3, b"72\0\0"), (PADDING, LONG, 90_000, b"\xff\xff\xff\xff")]
    content = draw_large(tags(upside_down, *senseless), format_)
    visit = client.create("visit", {"purpose": "routine"})
    photo = client.attach(visit, content, tag="goods")
    assert client.original(photo.id) == content
    assert is_red(Image.open(io.BytesIO(client.preview(photo.id))), 0.8, 0.8)


def test_p6_a_photo_that_cannot_be_read_is_saved_without_a_small_copy(
    client: Client, office: Office
) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    spoilt = [
        draw_large()[: WORTH_IT + 1],
        png_header(60_000, 60_000),
        png_header(9_000, 9_000),
        png_bomb(64),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(a) run\n",
        b"%PDF-1.4 not quite",
    ]
    for content in (one.ljust(WORTH_IT + 1, b"\0") for one in spoilt):
        photo = client.attach(visit, content, tag="goods")
        assert client.original(photo.id) == content
        assert "preview_sha256" not in photo.data


def test_p6_whatever_bytes_a_camera_leaves_are_no_reason_to_refuse_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fieldstamp._images._WORTH_IT", 0)
    made = [small_copy(content) for _name, content in make_files(22, MUTATED)]
    assert {type(copy) for copy in made} == {bytes, type(None)}
