"""Mutated pictures: ``python -m tests.fuzz.images --count 100000 --seed 1``.

Half of the files are changed where it hurts a decoder (behind the header, in the scan, in the
tables), the others anywhere. Each goes through the very process that an upload goes through. What
is counted: verdicts, how far the files got, children that ended, nurseries that were replaced.
"""

import argparse
import io
import os
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from PIL import Image

from server.media.examine import Examiner
from server.media.images import FORMATS, has_heic
from server.media.seen import Picture, Unreadable
from tests.pictures import camera_files, draw, draw_tagged

BATCH = 500
LARGEST = 400_000
"""Bytes of a camera file that is taken for a seed: larger ones only cost time."""

Seeds = list[tuple[str, bytes]]


def _save(image: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def collect_seeds() -> Seeds:
    """Drawn files of every format and coding, and the camera files that are small enough."""
    picture = Image.open(io.BytesIO(draw(320, 240)))
    frames = [picture.rotate(angle) for angle in (0, 90, 180)]
    film = {"save_all": True, "append_images": frames[1:]}
    drawn = {
        "jpeg": draw(320, 240),
        "jpeg progressive": _save(picture, "JPEG", progressive=True),
        "jpeg gray": _save(picture.convert("L"), "JPEG"),
        "jpeg cmyk": _save(picture.convert("CMYK"), "JPEG"),
        "jpeg tagged": draw_tagged(),
        "png": draw(320, 240, format="PNG"),
        "png palette": _save(picture.convert("P"), "PNG"),
        "png 16 bit": _save(picture.convert("I;16"), "PNG"),
        "apng": _save(frames[0], "PNG", **film),
        "webp": draw(320, 240, format="WEBP"),
        "webp lossless": _save(picture, "WEBP", lossless=True),
        "webp film": _save(frames[0], "WEBP", **film),
        "pdf": draw(320, 240, format="PDF"),
        **_heic(picture),
    }
    cameras = [(path.name, path.read_bytes()) for path in camera_files()]
    return [*drawn.items(), *(one for one in cameras if len(one[1]) <= LARGEST)]


def _heic(picture: Image.Image) -> Mapping[str, bytes]:
    from pillow_heif import from_pillow  # noqa: PLC0415

    out = io.BytesIO()
    from_pillow(picture).save(out)
    return {"heic": out.getvalue()}


def _flip_bits(dice: random.Random, file: bytearray, low: int) -> None:
    for _time in range(dice.choice((1, 1, 2, 4, 16, 64))):
        file[dice.randrange(low, len(file))] ^= 1 << dice.randrange(8)


def _write_edges(dice: random.Random, file: bytearray, low: int) -> None:
    """Lengths and sizes at their limits."""
    value = dice.choice((b"\xff\xff", b"\x00\x00", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"))
    at = dice.randrange(low, max(low + 1, len(file) - len(value)))
    file[at : at + len(value)] = value


def _cut(dice: random.Random, file: bytearray, low: int) -> None:
    del file[dice.randrange(low, len(file)) :]


def _cut_out(dice: random.Random, file: bytearray, low: int) -> None:
    at = dice.randrange(low, len(file))
    del file[at : at + dice.randrange(1, 400)]


def _repeat(dice: random.Random, file: bytearray, low: int) -> None:
    at = dice.randrange(low, len(file))
    piece = bytes(file[at : at + dice.randrange(1, 400)])
    file[at:at] = piece * dice.choice((1, 1, 2, 50))


def _scatter(dice: random.Random, file: bytearray, low: int) -> None:
    at = dice.randrange(low, len(file))
    size = min(dice.randrange(1, 64), len(file) - at)
    file[at : at + size] = dice.randbytes(size)


MUTATIONS: tuple[Callable[[random.Random, bytearray, int], None], ...] = (
    _flip_bits,
    _flip_bits,
    _write_edges,
    _cut,
    _cut_out,
    _repeat,
    _scatter,
)


def mutate(dice: random.Random, content: bytes) -> bytes:
    """``content`` with one to three changes; half of the files keep their head."""
    file = bytearray(content)
    low = len(file) // 3 if dice.random() < 0.5 else 0
    for _time in range(dice.choice((1, 1, 1, 2, 3))):
        if len(file) <= low + 1:
            break
        dice.choice(MUTATIONS)(dice, file, low)
    return bytes(file)


def make_files(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """(name of the seed file, mutated file), the same ones for the same numbers."""
    dice = random.Random(f"images {seed}")
    seeds = collect_seeds()
    for _number in range(count):
        name, content = dice.choice(seeds)
        yield name, mutate(dice, content)


def is_decoded(content: bytes) -> bool:
    """Whether the file gets past ``open``: its header is taken and its pixels are asked for.

    A PDF counts where a first page is found.
    """
    return _opens(content) if content[:5] != b"%PDF-" else b"/Page" in content


def _opens(content: bytes) -> bool:
    has_heic()
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(content), formats=[*FORMATS.values()]),
        ):
            return True
    except Exception:
        return False


def run_batch(seed: int, count: int) -> Counter[str]:
    """Examines ``count`` files in a nursery of its own, and a good one at the end."""
    counts: Counter[str] = Counter()
    examiner = Examiner()
    try:
        for _name, content in make_files(seed, count):
            counts += _examine(examiner, content)
        counts["healthy afterwards"] += isinstance(_look(examiner, draw()), Picture)
        counts["nurseries replaced"] += examiner.started - 1
    finally:
        examiner.close()
    return counts


def _examine(examiner: Examiner, content: bytes) -> Counter[str]:
    seen = _look(examiner, content)
    said = f"{seen.content}: {seen.reason}" if isinstance(seen, Unreadable) else "readable"
    return Counter({"files": 1, said: 1, "past open": is_decoded(content)})


def _look(examiner: Examiner, content: bytes) -> Picture | Unreadable:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return examiner.examine(file)


def main() -> int:
    """Prints the counts; 1 where too few got far enough, or anything but a file came to harm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args()
    sizes = [min(BATCH, given.count - at) for at in range(0, given.count, BATCH)]
    seeds = [given.seed * 1_000_000 + number for number in range(len(sizes))]
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        for found in pool.map(run_batch, seeds, sizes):
            counts += found
    for what, count in sorted(counts.items()):
        sys.stdout.write(f"{what:30}{count:9,}\n")
    return 0 if is_good(counts, len(sizes)) else 1


def is_good(counts: Counter[str], batches: int) -> bool:
    """Half got past ``open``, no nursery was lost, and healthy files went on being read."""
    far = counts["past open"] * 2 >= counts["files"]
    return far and not counts["nurseries replaced"] and counts["healthy afterwards"] == batches


if __name__ == "__main__":
    raise SystemExit(main())
