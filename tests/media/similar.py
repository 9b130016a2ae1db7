"""How well photos are found again: ``python -m tests.media.similar [--scenes 1000]``.

The set is fixed: scenes and an honest revisit of each, 2,000 pictures in all. Every transformed
picture goes through what the server does with an upload, and is searched among all of them.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

from server.media.images import examine
from server.media.seen import Picture
from server.media.similarity_scan import PrintMatrix
from server.policies.reading import load_defaults
from tests.media.scenes import MAY, MUST, QUALITIES, Look, plan_scene, save, take, visit_again

LIMITS = load_defaults().photos
REVISIT = "honest revisit"
SAME_SPOT = "honest revisit from the very same spot"
LEAST_FOUND = 0.99
MOST_FLAGGED = 0.001
FAR = 256


@dataclass(frozen=True, slots=True)
class Prints:
    """The hashes of one scene, of its other day, and of what was done to its picture."""

    scene: tuple[bytes, ...]
    again: tuple[bytes, ...]
    changed: dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: shares of the scenes, 0 to 1."""

    change: str
    near: float
    reshot: float
    wrong: int
    """Other scenes that were taken for the same."""


def read(content: bytes) -> tuple[bytes, ...]:
    """The hashes that the server makes of a file."""
    seen = examine(io.BytesIO(content))
    assert isinstance(seen, Picture), seen
    return seen.marks.prints


def look_at(number: int) -> Prints:
    """Everything about the scene with that number."""
    scene = plan_scene(number)
    other, look = visit_again(scene, number)
    photo = take(scene)
    changes = {**MUST, **MAY}
    changed = {
        name: read(save(change(photo), quality=QUALITIES.get(name, 85)))
        for name, change in changes.items()
    }
    still = replace(Look(), gain=look.gain, slope=look.slope)
    changed[SAME_SPOT] = read(save(take(other, still)))
    return Prints(read(save(photo)), read(save(take(other, look))), changed)


def measure(everything: list[Prints]) -> list[Row]:
    """The table."""
    matrix = PrintMatrix()
    files = [one.scene for one in everything] + [one.again for one in everything]
    rows = ((blob, bits) for blob, prints in enumerate(files) for bits in prints)
    matrix.add((key, blob, bits) for key, (blob, bits) in enumerate(rows, start=1))
    asked = {name: [one.changed[name] for one in everything] for name in everything[0].changed}
    table = [_row(matrix, name, prints) for name, prints in asked.items()]
    return [*table, _row(matrix, REVISIT, [one.again for one in everything])]


def _row(matrix: PrintMatrix, name: str, asked: Sequence[tuple[bytes, ...]]) -> Row:
    distances = [FAR] * len(asked)
    wrong = 0
    for number, prints in enumerate(asked):
        found = [near for bits in prints for near in matrix.find(bits, LIMITS.reshot)]
        own = [near.distance for near in found if near.blob == number]
        distances[number] = min(own, default=FAR)
        wrong += len({near.blob for near in found} - {number, number + len(asked)})
    return Row(
        change=name,
        near=sum(distance <= LIMITS.near for distance in distances) / len(asked),
        reshot=sum(distance <= LIMITS.reshot for distance in distances) / len(asked),
        wrong=wrong,
    )


def main() -> int:
    """Prints the table; 1 where something that must be found is not, or an honest one is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=min(3, os.cpu_count() or 1))
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        everything = list(pool.map(look_at, range(given.scenes), chunksize=10))
    table = measure(everything)
    say(f"{2 * given.scenes} pictures; found at <= {LIMITS.near} and <= {LIMITS.reshot} bits")
    for row in table:
        told = f"{row.near:8.1%} {row.reshot:8.1%} {row.wrong:6d} others"
        say(f"{row.change:42}{told}")
    return 0 if is_good(table) else 1


def say(line: str) -> None:
    """One line for whoever reads along."""
    sys.stdout.write(f"{line}\n")


def is_good(table: list[Row]) -> bool:
    """Whether the promises hold."""
    shares = {row.change: row.reshot for row in table}
    found = all(shares[name] >= LEAST_FOUND for name in MUST)
    return found and shares[REVISIT] <= MOST_FLAGGED and not any(row.wrong for row in table)


if __name__ == "__main__":
    raise SystemExit(main())
