"""What the server makes of files that claim to be pictures."""

import io
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from server.media import examine as examine_module
from server.media.claims import read_claims
from server.media.examine import Examiner, Unavailable, examine_apart
from server.media.images import examine
from server.media.seen import Picture, Unreadable
from tests import pictures


def look(content: bytes) -> Picture | Unreadable:
    return examine(io.BytesIO(content))


def seen(content: bytes) -> Picture:
    result = look(content)
    assert isinstance(result, Picture)
    return result


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_gets_a_preview_and_a_thumbnail(format: str) -> None:
    result = seen(pictures.draw(2400, 1800, format=format))
    assert (result.width, result.height) == (2400, 1800)
    for rendition, longest in ((result.preview, 1600), (result.thumbnail, 320)):
        with Image.open(io.BytesIO(rendition.content)) as made:
            assert made.format == "JPEG"
            assert max(made.size) == longest
            assert made.size == (rendition.width, rendition.height)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_previews_are_upright(orientation: int) -> None:
    result = seen(pictures.draw_turned(orientation))
    with Image.open(io.BytesIO(result.preview.content)) as made:
        width, height = made.size
        near, far = (width // 4, height // 4), (3 * width // 4, 3 * height // 4)
        corners = {
            "upper left": near,
            "upper right": (far[0], near[1]),
            "lower right": far,
            "lower left": (near[0], far[1]),
        }
        red = [name for name, place in corners.items() if made.getpixel(place)[1] < 100]
    # EXIF 2.32, table 6: where the stored upper left corner belongs
    right = dict(enumerate(["upper left", "upper right", "lower right", "lower left"] * 1, start=1))
    right |= {5: "upper left", 6: "upper right", 7: "lower right", 8: "lower left"}
    assert red == [right[orientation]]
    assert (width > height) == (orientation < 5)
    assert (result.width, result.height) == (width, height)


def test_previews_carry_no_metadata() -> None:
    result = seen(pictures.draw_tagged())
    for rendition in (result.preview, result.thumbnail):
        assert b"Exif" not in rendition.content
        assert b"Maker" not in rendition.content


def test_exif_is_read_as_claims() -> None:
    assert seen(pictures.draw_tagged()).claims == {
        "make": "Maker",
        "model": "Model 1",
        "taken": "2026-03-02T09:30:00+08:00",
        "lat": "-31.500000",
        "lon": "121.260000",
    }


def test_a_time_without_an_offset_stays_local() -> None:
    claims, dropped = read_claims({}, {0x9003: "2026:03:02 09:30:00"}, {})
    assert (claims, dropped) == ({"taken": "2026-03-02T09:30:00"}, {})


@pytest.mark.parametrize(
    ("position", "why"),
    [
        ({2: (0, 0, 0), 4: (0, 0, 0)}, "zero"),
        ({2: (91, 0, 0), 4: (10, 0, 0)}, "range"),
        ({2: (float("nan"), 0, 0), 4: (10, 0, 0)}, "format"),
        ({2: (1, 2), 4: (10, 0, 0)}, "format"),
        ({2: b"north", 4: None}, "format"),
        ({2: (31, 0, 0)}, "format"),
    ],
)
def test_a_place_that_makes_no_sense_is_left_out_with_a_reason(
    position: dict[int, object], why: str
) -> None:
    assert read_claims({}, {}, position) == ({}, {"position": why})


def test_other_claims_that_make_no_sense_are_left_out_with_a_reason() -> None:
    main = {0x010F: b"\xff\xfe", 0x0112: 99}
    assert read_claims(main, {0x9003: "yesterday"}, {}) == (
        {},
        {"make": "format", "orientation": "range", "taken": "format"},
    )


def test_a_camera_without_a_clock_claims_no_time_and_nothing_is_dropped() -> None:
    assert read_claims({}, {0x9003: "0000:00:00 00:00:00"}, {}) == ({}, {})


def test_garbage_in_the_tags_does_not_spoil_the_picture() -> None:
    picture = pictures.draw_tagged()
    at = picture.index(b"Exif\0\0") + 14
    spoilt = picture[:at] + b"\xff" * 60 + picture[at + 60 :]
    assert seen(spoilt).width == 64


JPEG = pictures.draw(1200, 900)


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"", "unsupported"),
        (b"\xff\xd8\xff", "damaged"),
        (bytes(range(256)) * 40, "unsupported"),
        (JPEG[: len(JPEG) // 2], "damaged"),
        (b"%PDF-1.7\n%%EOF", "damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "unsupported"),
        (pictures.draw(30, 30, format="GIF"), "unsupported"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "damaged"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "unsupported"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "unsupported"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0", "unsupported"),
        (b"\0\0\0\x18ftyp3gp5\0\0\0\0", "unsupported"),
        (pictures.png_header(60_000, 60_000), "unsupported"),
        (pictures.png_header(13_000, 13_000), "unsupported"),
        (pictures.png_bomb(80), "damaged"),
    ],
    ids=[
        "nothing",
        "start of a JPEG",
        "noise",
        "half a JPEG",
        "PDF",
        "EPS",
        "SVG",
        "GIF",
        "HEIC",
        "AVIF",
        "MP4",
        "M4A",
        "3GP",
        "3.6 gigapixels",
        "169 megapixels",
        "text bomb",
    ],
)
def test_what_is_no_readable_picture_gets_a_verdict_and_never_an_exception(
    content: bytes, verdict: str
) -> None:
    result = look(content)
    assert isinstance(result, Unreadable)
    assert result.content == verdict


def test_the_narrowest_and_the_oddest_pictures_get_thumbnails() -> None:
    assert seen(pictures.draw(1, 9000)).thumbnail.width == 1
    for mode in ("1", "L", "P", "LA", "RGBA", "I;16"):
        out = io.BytesIO()
        Image.new(mode, (40, 30)).save(out, "PNG")
        assert seen(out.getvalue()).preview.width == 40
    out = io.BytesIO()
    Image.new("CMYK", (40, 30)).save(out, "JPEG")
    assert seen(out.getvalue()).preview.width == 40


def test_only_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(seen(out.getvalue()).preview.content)) as made:
        red, _green, blue = made.getpixel((20, 15))
    assert (red > 200, blue < 50) == (True, True)


def test_a_limited_child_gives_the_same_result(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(JPEG)
    with path.open("rb") as file:
        assert examine_apart(file) == look(JPEG)


def test_a_file_that_wants_too_much_memory_ends_only_its_child(tmp_path: Path) -> None:
    path = tmp_path / "large"
    Image.new("RGBA", (6_900, 6_900), (1, 2, 3, 4)).save(path, "PNG", compress_level=1)
    small = tmp_path / "small"
    small.write_bytes(JPEG)
    examiner = Examiner(memory=256 * 1024**2)
    try:
        with path.open("rb") as file:
            assert examiner.examine(file) == Unreadable(
                content="unsupported", reason="memory", type="image/png"
            )
        with small.open("rb") as file:
            assert isinstance(examiner.examine(file), Picture)
    finally:
        examiner.close()


def test_without_a_limited_process_there_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(JPEG)
    examiner = Examiner()
    with monkeypatch.context() as broken, path.open("rb") as file:
        broken.setattr(examine_module, "COMMAND", (sys.executable, "-c", ""))
        with pytest.raises(Unavailable):
            examiner.examine(file)
    with path.open("rb") as file:
        assert isinstance(examiner.examine(file), Picture)
    examiner.close()


def test_a_nursery_that_was_killed_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(JPEG)
    examiner = Examiner()
    with path.open("rb") as file:
        first = examiner.examine(file)
        process = examiner._process
        assert process is not None
        process.kill()
        process.wait()
        assert examiner.examine(file) == first
    examiner.close()


TALKER = """
import os, socket
desk = socket.socket(fileno=os.dup(0))
while True:
    word, (file, answer), _flags, _address = socket.recv_fds(desk, 8, 2)
    os.close(file)
    try:
        while os.write(answer, ANSWER) and ENDLESS:
            pass
    except OSError:
        pass
    os.close(answer)
"""


@pytest.mark.parametrize(
    ("answer", "endless"), [(b"no answer", False), (b"x" * 100_000, True)], ids=["odd", "endless"]
)
def test_nonsense_from_a_child_is_a_verdict_on_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, endless: bool
) -> None:
    talker = tmp_path / "talker.py"
    talker.write_text(TALKER.replace("ANSWER", repr(answer)).replace("ENDLESS", str(endless)))
    monkeypatch.setattr(examine_module, "COMMAND", (sys.executable, str(talker)))
    path = tmp_path / "picture"
    path.write_bytes(JPEG)
    examiner = Examiner()
    with path.open("rb") as file:
        assert examiner.examine(file) == Unreadable(content="damaged", reason="ended")
    examiner.close()


OWNER = """
import sys, time
from server.media.examine import EXAMINER
with open(sys.argv[1], "rb") as file:
    EXAMINER.examine(file)
print(EXAMINER._process.pid, flush=True)
time.sleep(600)
"""


def test_a_nursery_ends_with_the_process_that_it_works_for(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(JPEG)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, path], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    nursery = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.communicate()
    nursery.wait(timeout=300)
    assert not nursery.is_running()


CAMERAS = pictures.camera_contents()


@pytest.mark.parametrize("name", CAMERAS)
def test_camera_files_can_be_shown(name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(CAMERAS[name])
    with path.open("rb") as file:
        result = examine_apart(file)
    assert isinstance(result, Picture)
    assert len(result.marks.prints) >= 1 or "tagged" in name  # which is one even green
