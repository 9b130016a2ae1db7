"""What looking into one large photo costs, and a scan over a million hashes.

``python -m tests.media.cost`` prints processor time and memory added, each the median of some
runs in forked children, as the server does it.
"""

import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from PIL import Image

from server.media.images import examine, warm_up
from server.media.seen import Picture
from server.media.similarity import PRINT_BYTES
from server.media.similarity_scan import PrintMatrix
from tests.media.scenes import plan_scene, take

SIZE = (4000, 3000)
RUNS = 9
HASHES = 1_000_000
MOST_CPU_MS = 250
MOST_ADDED_MB = 100
MOST_SCAN_MS = 100
BITS = 56


def draw_large() -> bytes:
    """Twelve megapixels as a phone writes them: some megabytes, on their side, with a place."""
    grain = np.random.default_rng(1).normal(0, 6, (SIZE[1], SIZE[0], 1))
    levels = np.asarray(take(plan_scene(1)).resize(SIZE, Image.Resampling.BICUBIC)) + grain
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (31.0, 14.0, 0.0), 3: "E", 4: (121.0, 29.0, 0.0)}
    out = io.BytesIO()
    image = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    image.save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def spend(work: Callable[[], object]) -> tuple[float, float]:
    """(processor milliseconds, greatest resident megabytes) of a child that does ``work``."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _pid, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"the child ended with {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024


def look(content: bytes) -> None:
    """Everything that is done for one file."""
    if not isinstance(examine(io.BytesIO(content)), Picture):
        os._exit(1)


def measure_picture(content: bytes) -> tuple[float, float]:
    """(processor milliseconds, megabytes added) for one file."""
    warm_up()
    runs = [spend(lambda: look(content)) for _run in range(RUNS)]
    idle = [spend(lambda: None) for _run in range(RUNS)]
    cpu = statistics.median(run[0] for run in runs)
    return cpu, statistics.median(run[1] for run in runs) - min(run[1] for run in idle)


def measure_apart(content: bytes) -> tuple[float, float]:
    """The same, from a process that has drawn nothing yet and holds no memory to spare."""
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        return fresh.submit(measure_picture, content).result()


def fill(count: int) -> PrintMatrix:
    """That many random hashes."""
    bits = np.random.default_rng(2).bytes(count * PRINT_BYTES)
    matrix = PrintMatrix()
    pieces = (bits[at : at + PRINT_BYTES] for at in range(0, len(bits), PRINT_BYTES))
    matrix.add((key, key, piece) for key, piece in enumerate(pieces, start=1))
    return matrix


def clock(work: Callable[[], object]) -> float:
    """Milliseconds, the median of some runs."""
    taken: list[float] = []
    for _run in range(RUNS):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def main() -> int:
    """Prints the figures; 1 where one is over its limit."""
    content = draw_large()
    cpu, added = measure_apart(content)
    matrix = fill(HASHES)
    asked = np.random.default_rng(3).bytes(PRINT_BYTES)
    once, all_ways = (
        clock(lambda: matrix.scan(asked, BITS)),
        clock(lambda: matrix.find(asked, BITS)),
    )
    sys.stdout.write(
        f"JPEG of 12 megapixels, {len(content) / 1e6:.1f} MB: {cpu:.0f} ms of CPU,"
        f" {added:.0f} MB added\n"
        f"scan of {HASHES:,} hashes: {once:.1f} ms; in eight orientations {all_ways:.0f} ms\n"
    )
    return int(cpu > MOST_CPU_MS or added > MOST_ADDED_MB or once > MOST_SCAN_MS)


if __name__ == "__main__":
    raise SystemExit(main())
