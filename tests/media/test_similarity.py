"""B3: hashes of pictures: what is found again, what is not, and that the scan misses nothing."""

import random

import numpy as np
import pytest
from PIL import Image, ImageOps

from server.media.bare import hash_bare
from server.media.similarity import find_borders, has_features, to_print, turn_print
from server.media.similarity_scan import PrintMatrix
from tests.media import cost, similar
from tests.media.scenes import MUST, plan_scene, take
from tests.pictures import draw, draw_tagged

SCENES = 12


def bits_between(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def print_of(image: Image.Image) -> bytes:
    small = image.convert("L").resize((64, 64), Image.Resampling.BOX)
    return to_print(np.asarray(small, dtype=np.uint8))


def test_b3_what_must_be_found_is_found_and_an_honest_revisit_is_not() -> None:
    table = similar.measure([similar.look_at(number) for number in range(SCENES)])
    assert similar.is_good(table), table


def test_b3_a_table_that_misses_one_in_fifty_or_flags_one_is_not_good() -> None:
    good = [similar.Row(change=name, near=1.0, reshot=0.99, wrong=0) for name in MUST]
    honest = similar.Row(change=similar.REVISIT, near=0.0, reshot=0.001, wrong=0)
    assert similar.is_good([*good, honest])
    missed = similar.Row(change=good[0].change, near=0.9, reshot=0.98, wrong=0)
    assert not similar.is_good([missed, *good[1:], honest])
    flagged = similar.Row(change=similar.REVISIT, near=0.0, reshot=0.002, wrong=0)
    assert not similar.is_good([*good, flagged])


def test_b3_all_eight_orientations_follow_from_one_hash() -> None:
    image = take(plan_scene(5)).resize((512, 512))
    turned = turn_print(print_of(image))
    assert len(set(turned)) == 8
    assert turned[0] == print_of(image)
    for flip in (image, ImageOps.mirror(image)):
        for angle in (0, 90, 180, 270):
            wanted = print_of(flip.rotate(angle))
            assert min(bits_between(wanted, one) for one in turned) <= 2


def test_b3_the_scan_finds_exactly_what_a_comparison_one_by_one_finds() -> None:
    dice = random.Random(4)
    stored = [dice.randbytes(32) for _row in range(3_000)]
    asked = stored[100]
    for distance in (0, 1, 30, 55, 56, 57, 90):
        flips = dice.sample(range(256), distance)
        spoilt = int.from_bytes(asked) ^ sum(1 << bit for bit in flips)
        stored.append(spoilt.to_bytes(32))
    matrix = PrintMatrix()
    matrix.add((key, key, bits) for key, bits in enumerate(stored, start=1))
    for limit in (0, 31, 56, 100):
        wanted = [
            (key, bits_between(asked, bits))
            for key, bits in enumerate(stored, start=1)
            if bits_between(asked, bits) <= limit
        ]
        assert matrix.scan(asked, limit) == wanted


def test_b3_rows_that_come_again_or_late_are_in_the_matrix_once() -> None:
    matrix = PrintMatrix()
    bits = [bytes([number]) * 32 for number in range(6)]
    matrix.add([(1, 10, bits[1]), (3, 30, bits[3])], window=100)
    matrix.add([(1, 10, bits[1]), (2, 20, bits[2]), (3, 30, bits[3])], window=100)
    assert len(matrix) == 3
    assert matrix.last == 3
    assert [blob for blob, _distance in matrix.scan(bits[2], 0)] == [20]


def test_b3_flat_borders_are_told_from_the_picture() -> None:
    picture = np.asarray(take(plan_scene(2)).convert("L"), dtype=np.uint8)
    assert find_borders(picture) is None
    framed = np.pad(picture, ((70, 50), (30, 0)))
    box = find_borders(framed)
    assert box is not None
    assert (box.left, box.top) == (30, 70)
    assert (box.right, box.bottom) == (framed.shape[1], framed.shape[0] - 50)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_b3_an_even_surface_has_no_features(level: int) -> None:
    noise = np.random.default_rng(1).normal(level, 2, (64, 64))
    assert not has_features(np.clip(noise, 0, 255).astype(np.uint8))


def test_b3_a_jpeg_is_the_same_whatever_its_metadata_say() -> None:
    plain = draw()
    comment = b"\xff\xfe\x00\x09a note."
    assert hash_bare(plain[:2] + comment + plain[2:]) == hash_bare(plain)
    assert hash_bare(plain + b"appended") == hash_bare(plain)
    assert hash_bare(plain) != hash_bare(draw(seed=2))
    assert hash_bare(draw_tagged()) == hash_bare(_without_exif(draw_tagged()))


def _without_exif(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xe1")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4]) :]


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 20, 200])
def test_b3_a_jpeg_that_breaks_off_before_its_scan_has_no_hash(cut: int) -> None:
    assert hash_bare(draw()[:cut]) is None


def test_twelve_megapixels_cost_little_memory() -> None:
    _cpu, added = cost.measure_apart(cost.draw_large())
    assert added < cost.MOST_ADDED_MB
