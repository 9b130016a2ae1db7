"""Draws the pictures that the devices of the demonstration take. Decodes nothing from outside."""

import io
from collections.abc import Mapping
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 1280, 960
QUALITY = 88
GRAIN = 28
"""How much the sensor's noise shows, of 255; it makes the files as large as a phone's."""
STROKE = ((30, 90), (70, 30), (110, 100), (150, 40), (200, 90), (260, 55), (330, 80))
"""A signature's line in pixels."""


def draw_pictures(folder: Path, wanted: Mapping[str, int], *, seed: int) -> list[Path]:
    """JPEGs named ``<tag>-<number>.jpg``, so many of each tag; the same for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = Random(seed)  # noqa: S311 - the same pictures each time, not a secret
    drawn = []
    for tag, count in wanted.items():
        for number in range(count):
            path = folder / f"{tag}-{number:02d}.jpg"
            path.write_bytes(_draw(chance, f"{tag} {number + 1}"))
            drawn.append(path)
    return drawn


def _draw(chance: Random, words: str) -> bytes:
    ground = tuple(chance.randrange(120, 230) for _ in range(3))
    picture = Image.new("RGB", (WIDTH, HEIGHT), ground)
    pencil = ImageDraw.Draw(picture)
    for row in range(3):
        top = 180 + row * 240
        for left in range(80, WIDTH - 120, 140):
            height = chance.randrange(90, 200)
            colour = tuple(chance.randrange(256) for _ in range(3))
            pencil.rectangle((left, top + 200 - height, left + 110, top + 200), fill=colour)
        pencil.line((60, top + 204, WIDTH - 60, top + 204), fill=(70, 50, 40), width=10)
    pencil.text((80, 40), words, fill="black", font_size=96)
    grain = Image.frombytes("L", (WIDTH // 4, HEIGHT // 4), chance.randbytes(WIDTH * HEIGHT // 16))
    grain = grain.resize(picture.size).convert("RGB")
    return _jpeg(Image.blend(picture, grain, GRAIN / 255))


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def draw_signature(signer: str) -> bytes:
    """A PNG with the line of ``signer``."""
    chance = Random(signer)  # noqa: S311 - one hand, one line
    line = [(x, y + chance.randrange(-18, 18)) for x, y in STROKE]
    picture = Image.new("RGB", (360, 130), "white")
    ImageDraw.Draw(picture).line(line, fill="navy", width=4, joint="curve")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
