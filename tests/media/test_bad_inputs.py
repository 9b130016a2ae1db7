"""Fifteen bad inputs, as far as they are pictures: kept, told apart, never a fault of the server.

Each test hands its files in over the wire, lets the worker look at them, and then sees a healthy
photo through, on both databases.
"""

import io
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import update

from server.db import transaction
from server.domain.evidence.actions import tell_arrivals
from server.extensions import db
from server.media.settling import tell_again
from server.media.tables import Blob
from server.services import Services
from server.sync.queries import find_record
from server.work.rounds import run_pending
from tests.pictures import draw, draw_tagged, png_bomb, png_header
from tests.uploads import Carrier, carriers, sha256_of

JPEG = draw(1200, 900)
HEALTHY = draw(640, 480, seed=9)


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@dataclass(frozen=True)
class Seen:
    """What the device reads in the record of a photo, and what a person is shown of it."""

    content: str
    reason: str | None
    data: dict[str, Any]
    preview: Image.Image | None


def hand_in(app: Flask, rep: Carrier, content: bytes, **given: Any) -> Seen:
    """A file uploaded and looked into: the bytes are kept whatever they are."""
    photo = rep.declare(content, **given)
    assert rep.send(photo, content).status_code == 204
    run_pending(app)
    with app.app_context():
        record = find_record(db.session(), photo)
    assert record is not None
    assert record.data["state"] == "verified"
    original = rep.read(photo)
    assert original.data == content
    assert original.headers["Content-Disposition"].startswith("attachment")
    assert original.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in original.headers["Content-Security-Policy"]
    told = (record.data["content"], record.data.get("content_reason"), record.data)
    return Seen(*told, preview_of(rep, photo, readable=record.data["content"] == "readable"))


def preview_of(rep: Carrier, photo: str, *, readable: bool) -> Image.Image | None:
    """What everybody else is shown: made anew from the pixels, or nothing."""
    answer, small = rep.read(photo, "preview"), rep.read(photo, "thumbnail")
    assert answer.status_code == small.status_code == (200 if readable else 404)
    if not readable:
        return None
    assert answer.mimetype == small.mimetype == "image/jpeg"
    assert min(Image.open(io.BytesIO(small.data)).size) >= 1
    return Image.open(io.BytesIO(answer.data))


def verdicts(app: Flask, rep: Carrier, contents: Iterable[bytes]) -> list[tuple[str, str | None]]:
    """(content, reason) of each file; a healthy photo behind them is none the worse."""
    found = [hand_in(app, rep, content) for content in contents]
    assert hand_in(app, rep, HEALTHY).content == "readable"
    return [(one.content, one.reason) for one in found]


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def flipped(content: bytes, *, every: int) -> bytes:
    """Bits turned over all along the second half, which is the scan."""
    spoilt = bytearray(content)
    for at in range(len(spoilt) // 2, len(spoilt) - 2, every):
        spoilt[at] ^= 0x55
    return bytes(spoilt)


def claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims to be ``width`` x ``height``."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def test_bad_input_1_nothing_noise_and_the_start_of_a_file(app: Flask, rep: Carrier) -> None:
    noise = bytes(range(256)) * 40
    assert verdicts(app, rep, [b"", noise, b"\xff\xd8", b"\xff\xd8\xff"]) == [
        ("unsupported", "empty"),
        ("unsupported", "not_a_picture"),
        ("unsupported", "not_a_picture"),
        ("damaged", "broken"),
    ]


def test_bad_input_2_a_jpeg_cut_in_half_or_by_twenty_bytes(app: Flask, rep: Carrier) -> None:
    progressive = saved(Image.open(io.BytesIO(JPEG)), "JPEG", progressive=True)
    cut = [JPEG[: len(JPEG) // 2], JPEG[:-20], progressive[: len(progressive) // 2]]
    assert verdicts(app, rep, cut) == [("damaged", "broken")] * 3


def test_bad_input_3_bits_turned_over_in_the_scan(app: Flask, rep: Carrier) -> None:
    spoilt = [flipped(JPEG, every=7), flipped(draw(format="PNG"), every=7)]
    assert verdicts(app, rep, spoilt) == [("damaged", "broken")] * 2


def test_bad_input_4_a_png_of_gigapixels_in_two_hundred_bytes(app: Flask, rep: Carrier) -> None:
    headers = [png_header(60_000, 60_000), png_header(13_000, 13_000), png_header(20_000, 2_600)]
    assert verdicts(app, rep, headers) == [("unsupported", "too_many_pixels")] * 3


def test_attack_13_a_real_picture_beyond_the_limit_is_refused_by_its_header(
    app: Flask, rep: Carrier
) -> None:
    whole = saved(Image.new("1", (9_000, 9_000)), "PNG")
    assert len(whole) < 20_000
    assert verdicts(app, rep, [whole]) == [("unsupported", "too_many_pixels")]


def test_bad_input_5_a_jpeg_whose_header_claims_more_than_it_has(app: Flask, rep: Carrier) -> None:
    [large, larger] = [claiming(9_000, 9_000), claiming(65_000, 65_000)]
    seen = hand_in(app, rep, large)  # the decoder fills up what is missing
    assert (seen.content, seen.data["width"]) == ("readable", 9_000)
    assert seen.preview is not None
    assert max(seen.preview.size) <= 1600
    cut = large[: len(large) // 2]
    assert verdicts(app, rep, [larger, cut]) == [
        ("unsupported", "too_many_pixels"),
        ("damaged", "broken"),
    ]


def test_bad_input_6_a_text_chunk_that_inflates_to_hundreds_of_megabytes(
    app: Flask, rep: Carrier
) -> None:
    assert verdicts(app, rep, [png_bomb(64), png_bomb(200)]) == [("damaged", "broken")] * 2


def test_bad_input_7_a_page_or_a_script_named_jpg(app: Flask, rep: Carrier) -> None:
    pages = [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><script>alert(1)</script>",
        b"#!/bin/sh\necho no\n",
    ]
    assert verdicts(app, rep, pages) == [("unsupported", "not_a_picture")] * 3


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_bad_input_7_attack_14_what_is_appended_to_a_picture_is_shown_to_nobody(
    app: Flask, rep: Carrier, format_: str
) -> None:
    tail = io.BytesIO()
    with zipfile.ZipFile(tail, "w") as archive:
        archive.writestr("payload.html", "<script>alert('payload')</script>")
    page = b"<script>alert('payload')</script>"
    seen = hand_in(app, rep, draw(format=format_) + page + tail.getvalue(), type="text/html")
    assert seen.content == "readable"
    assert seen.data["content_type"] == f"image/{format_.lower()}"
    assert seen.preview is not None
    assert b"payload" not in saved(seen.preview, "JPEG")


def test_attack_14_a_picture_under_another_name_is_told_by_its_bytes(
    app: Flask, rep: Carrier
) -> None:
    seen = hand_in(app, rep, draw(format="PNG"), type="application/pdf")
    assert (seen.content, seen.data["content_type"]) == ("readable", "image/png")


def test_bad_input_8_formats_that_are_not_on_the_list(app: Flask, rep: Carrier) -> None:
    others = [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(a) run\n",
        draw(30, 30, format="GIF"),
        draw(30, 30, format="TIFF"),
        draw(30, 30, format="BMP"),
        b"SIMPLE  =                    T" + b" " * 2850,
    ]
    assert verdicts(app, rep, others) == [("unsupported", "not_a_picture")] * 5


def test_bad_input_8_a_pdf_shows_its_first_page_unless_it_is_a_book(
    app: Flask, rep: Carrier
) -> None:
    pages = [Image.new("RGB", (30, 40), "white")] * 51
    receipt = saved(pages[0], "PDF", save_all=True, append_images=pages[:1])
    seen = hand_in(app, rep, receipt, type="application/pdf")
    assert (seen.content, seen.data["frames"]) == ("readable", 2)
    book = saved(pages[0], "PDF", save_all=True, append_images=pages[1:])
    assert verdicts(app, rep, [book, receipt[:200]]) == [
        ("unsupported", "too_many_pages"),
        ("damaged", "broken"),
    ]


@pytest.mark.parametrize("format_", ["WEBP", "PNG"])
def test_bad_input_9_of_an_animation_the_first_frame_is_shown(
    app: Flask, rep: Carrier, format_: str
) -> None:
    colours = ["red"] + ["blue", "green"] * 99 + ["blue"]
    frames = [Image.new("RGB", (40, 30), colour) for colour in colours]
    seen = hand_in(app, rep, saved(frames[0], format_, save_all=True, append_images=frames[1:]))
    assert (seen.content, seen.data["frames"]) == ("readable", 200)
    assert seen.preview is not None
    red, _green, blue = seen.preview.getpixel((20, 15))  # type: ignore[misc]
    assert (red > 200, blue < 50) == (True, True)


def test_bad_input_9_attack_13_an_animation_without_end_is_not_opened(
    app: Flask, rep: Carrier
) -> None:
    frames = [Image.new("L", (2, 2), level % 256) for level in range(501)]
    film = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert verdicts(app, rep, [film]) == [("unsupported", "too_many_frames")]


def test_bad_input_10_garbage_in_the_metadata_is_dropped_with_a_reason(
    app: Flask, rep: Carrier
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    exif[0x8825] = {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}
    exif[0x8769] = {0x9003: "not a time"}
    profile = os.urandom(60_000)
    spoilt = saved(Image.new("RGB", (64, 48), "green"), "JPEG", exif=exif, icc_profile=profile)
    seen = hand_in(app, rep, spoilt)
    assert seen.content == "readable"
    assert seen.data["exif"] == {
        "dropped": [
            {"claim": "orientation", "why": "range"},
            {"claim": "position", "why": "zero"},
            {"claim": "taken", "why": "format"},
        ]
    }
    tagged = draw_tagged()
    at = tagged.index(b"Exif\0\0") + 14
    assert verdicts(app, rep, [tagged[:at] + b"\xff" * 60 + tagged[at + 60 :]]) == [
        ("readable", None)
    ]


def test_bad_input_11_half_a_heic(app: Flask, rep: Carrier) -> None:
    heic = draw_heic()
    assert hand_in(app, rep, heic).content == "readable"
    assert verdicts(app, rep, [heic[: len(heic) // 2]]) == [("damaged", "broken")]


WITHOUT_HEIC = """
import io, sys
sys.modules["pillow_heif"] = None
from server.media.images import examine
seen = examine(io.BytesIO(sys.stdin.buffer.read()))
sys.stdout.write(f"{seen.content} {seen.reason}")
"""


def draw_heic() -> bytes:
    from pillow_heif import from_pillow  # noqa: PLC0415

    out = io.BytesIO()
    from_pillow(Image.open(io.BytesIO(draw()))).save(out)
    return out.getvalue()


def test_bad_input_11_a_heic_on_a_server_without_the_extra_says_what_is_missing() -> None:
    command = [sys.executable, "-c", WITHOUT_HEIC]
    done = subprocess.run(command, input=draw_heic(), capture_output=True, check=True)
    assert done.stdout == b"unsupported needs_heic"


def test_bad_input_11_a_heic_that_lacked_the_extra_is_looked_into_once_it_is_there(
    app: Flask, rep: Carrier
) -> None:
    heic = draw_heic()
    photo = rep.declare(heic)
    assert rep.send(photo, heic).status_code == 204
    look_without_heic(app, sha256_of(heic))
    assert said_of(app, photo) == ("unsupported", "needs_heic")
    run_pending(app)
    assert said_of(app, photo) == ("readable", None)
    assert rep.read(photo, "preview").status_code == 200


def look_without_heic(app: Flask, sha256: str) -> None:
    """What a worker without the extra notes and tells."""
    own: Services = app.extensions["fieldstamp"]
    lacks = {"content": "unsupported", "reason": "needs_heic", "type": "image/heic"}
    with app.app_context():
        with transaction(db.session()):
            db.session.execute(update(Blob).values(**lacks))
            tell_again(db.session(), sha256)
        tell_arrivals(db.session(), own.sync, own.media)


def said_of(app: Flask, photo: str) -> tuple[str, str | None]:
    with app.app_context():
        record = find_record(db.session(), photo)
    assert record is not None
    return record.data["content"], record.data.get("content_reason")


def test_bad_input_12_the_narrowest_and_the_oddest_pictures(app: Flask, rep: Carrier) -> None:
    palette = Image.new("P", (40, 30))
    palette.info["transparency"] = 0
    odd = [
        draw(1, 30_000),
        draw(30_000, 1, format="PNG"),
        saved(Image.new("CMYK", (40, 30)), "JPEG"),
        saved(Image.new("I;16", (40, 30)), "PNG"),
        saved(palette, "PNG", transparency=0),
        saved(Image.new("LA", (40, 30)), "PNG"),
        saved(Image.new("RGBA", (40, 30)), "WEBP"),
    ]
    assert verdicts(app, rep, odd) == [("readable", None)] * len(odd)
