"""Drawn shelves: a scene from a number, the same scene on another day, and what people do to files.

Everything follows from its seed. Drawn pictures are no shop: what is measured on them is
provisional until it is repeated on real shelf photos.
"""

import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SIZE = (800, 600)
MARGIN = 100
"""Pixels drawn around what a camera sees, so that it may stand elsewhere on another day."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Good:
    """One facing: where it stands, how it looks."""

    left: int
    width: int
    height: int
    body: Colour
    label: Colour
    shape: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A shop's corner: wall, boards, and what stands on each board."""

    wall: Colour
    floor: Colour
    boards: tuple[int, ...]
    rows: tuple[tuple[Good, ...], ...]
    poster: tuple[int, int, int, Colour]
    grain: int


@dataclass(frozen=True, slots=True)
class Look:
    """How a camera sees a scene: where it stands (pixels), how it is held (degrees), the light."""

    across: float = 0.0
    down: float = 0.0
    nearer: float = 1.0
    turned: float = 0.0
    gain: float = 1.0
    slope: float = 0.0


def plan_scene(number: int) -> Scene:
    """The scene with that number."""
    dice = random.Random(f"scene {number}")
    first, step = dice.randint(150, 240), dice.randint(95, 150)
    boards = tuple(range(first, SIZE[1] + MARGIN, step))
    return Scene(
        wall=_colour(dice, 110, 235),
        floor=_colour(dice, 40, 140),
        boards=boards,
        rows=tuple(_stock(dice, step) for _board in boards),
        poster=(dice.randint(60, 800), dice.randint(10, 90), dice.randint(60, 220), _colour(dice)),
        grain=dice.randrange(1 << 30),
    )


def _colour(dice: random.Random, low: int = 20, high: int = 250) -> Colour:
    return dice.randint(low, high), dice.randint(low, high), dice.randint(low, high)


def _stock(dice: random.Random, step: int) -> tuple[Good, ...]:
    """Blocks of equal facings, as a planogram has them, with gaps."""
    goods: list[Good] = []
    left = dice.randint(0, 60)
    while left < SIZE[0] + 2 * MARGIN - 40:
        good = _good(dice, left, step)
        for _facing in range(dice.randint(1, 6)):
            goods.append(replace(good, left=left))
            left += good.width + dice.randint(2, 6)
        left += dice.choice((0, 0, 10, 60))
    return tuple(goods)


def _good(dice: random.Random, left: int, step: int) -> Good:
    height = int(step * dice.uniform(0.45, 0.9))
    body, label = _colour(dice), _colour(dice)
    return Good(left, dice.randint(22, 70), height, body, label, dice.randint(0, 3))


def visit_again(scene: Scene, number: int) -> tuple[Scene, Look]:
    """The same place on another day: a third of the goods sold or moved, other light, and the
    camera up to a step aside. Most of what is seen is what was there before."""
    dice = random.Random(f"again {number}")
    step = scene.boards[1] - scene.boards[0]
    rows = tuple(
        tuple(_after_sales(dice, good, step) for good in row if dice.random() > 0.12)
        for row in scene.rows
    )
    look = Look(
        across=dice.choice((-1, 1)) * dice.uniform(0.03, 0.08) * SIZE[0],
        down=dice.choice((-1, 1)) * dice.uniform(0.02, 0.06) * SIZE[1],
        nearer=dice.uniform(0.95, 1.06),
        turned=dice.uniform(-2.5, 2.5),
        gain=dice.uniform(0.75, 1.25),
        slope=dice.uniform(-0.25, 0.25),
    )
    return replace(scene, rows=rows, grain=dice.randrange(1 << 30)), look


def _after_sales(dice: random.Random, good: Good, step: int) -> Good:
    return replace(_good(dice, good.left, step), width=good.width) if dice.random() < 0.2 else good


def take(scene: Scene, look: Look | None = None) -> Image.Image:
    """A photo of ``scene``."""
    look = look or Look()
    return _expose(_see(_draw(scene), look), scene, look)


def _draw(scene: Scene) -> Image.Image:
    size = (SIZE[0] + 2 * MARGIN, SIZE[1] + 2 * MARGIN)
    image = Image.new("RGB", size, scene.wall)
    pen = ImageDraw.Draw(image)
    left, top, width, colour = scene.poster
    pen.rectangle((left, top, left + width, top + 70), fill=colour)
    pen.rectangle((0, scene.boards[-1] + 40, *size), fill=scene.floor)
    for board, row in zip(scene.boards, scene.rows, strict=True):
        for good in row:
            _draw_good(pen, good, board)
        pen.rectangle((0, board, size[0], board + 12), fill=(90, 84, 78))
        for tag in range(20, size[0], 110):
            pen.rectangle((tag, board + 2, tag + 34, board + 10), fill=(245, 240, 200))
    return image


def _draw_good(pen: ImageDraw.ImageDraw, good: Good, board: int) -> None:
    left, right, top = good.left, good.left + good.width, board - good.height
    middle = (top + board) // 2
    pen.rectangle((left, top, right, board), fill=good.body, outline=(30, 30, 30))
    inner = (left + 4, middle - good.height // 5, right - 4, middle + good.height // 5)
    (pen.rectangle, pen.ellipse, pen.rectangle, pen.ellipse)[good.shape](inner, fill=good.label)
    if good.shape > 1:
        pen.line((left + 3, top + 6, right - 3, top + 6), fill=good.label, width=5)


def _see(image: Image.Image, look: Look) -> Image.Image:
    """What lies in front of the camera."""
    turned = image.rotate(look.turned, Image.Resampling.BICUBIC)
    width, height = SIZE[0] / look.nearer, SIZE[1] / look.nearer
    middle = (image.width / 2 + look.across, image.height / 2 + look.down)
    box = (
        middle[0] - width / 2,
        middle[1] - height / 2,
        middle[0] + width / 2,
        middle[1] + height / 2,
    )
    return turned.resize(SIZE, Image.Resampling.BILINEAR, box=box)


def _expose(image: Image.Image, scene: Scene, look: Look) -> Image.Image:
    """Light that falls off to one side, and the grain of a sensor."""
    levels = np.asarray(image, dtype=np.float32)
    across = np.linspace(-1.0, 1.0, SIZE[0], dtype=np.float32)[None, :, None]
    grain = np.random.default_rng(scene.grain).normal(0.0, 4.0, levels.shape).astype(np.float32)
    seen = levels * (look.gain * (1.0 + look.slope * across)) + grain
    return Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))


def _caption(image: Image.Image) -> Image.Image:
    done = image.copy()
    pen = ImageDraw.Draw(done)
    top = int(image.height * 0.93)
    pen.rectangle((0, top, image.width, image.height), fill="white")
    pen.text((12, top + 10), "2026-03-02 09:30  31.2304, 121.4737", fill="black", font_size=24)
    return done


def _letterbox(image: Image.Image) -> Image.Image:
    """A photo opened full screen on an upright phone, and that screen saved."""
    screen = Image.new("RGB", (image.width, int(image.width * 19 / 9)), "black")
    screen.paste(image, (0, (screen.height - image.height) // 2))
    return screen


def _crop(share: float) -> Callable[[Image.Image], Image.Image]:
    def crop(image: Image.Image) -> Image.Image:
        across, down = int(image.width * share), int(image.height * share)
        return image.crop((across, down, image.width - across, image.height - down))

    return crop


def _off_a_screen(image: Image.Image) -> Image.Image:
    """A photo of a screen: askew, its pixels showing, a reflection."""
    width, height = image.size
    corners = (8, 6, 2, height - 9, width - 10, height - 3, width - 4, 10)
    askew = image.transform(image.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    levels = np.asarray(askew, dtype=np.float32)
    rows = np.sin(np.arange(height) * 2.1)[:, None, None] * 6
    light = np.linspace(0, 40, width, dtype=np.float32)[None, :, None]
    return Image.fromarray(np.clip(levels * 0.9 + rows + light, 0, 255).astype(np.uint8))


def _turned(degrees: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.rotate(degrees, expand=True)


MUST: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded, quality 40": lambda image: image,
    "resized to 40 %": lambda image: image.resize((320, 240), Image.Resampling.LANCZOS),
    "brightened by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darkened by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "greyed": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "rotated by 90°": _turned(90),
    "rotated by 180°": _turned(180),
    "rotated by 270°": _turned(270),
    "mirrored": ImageOps.mirror,
    "mirrored and rotated by 90°": lambda image: ImageOps.mirror(image).rotate(90, expand=True),
    "caption over 7 %": _caption,
    "letterboxed": _letterbox,
    "letterboxed and rotated by 90°": lambda image: _letterbox(image).rotate(90, expand=True),
}
"""What is to be found again."""

MAY: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.4),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(3)),
    "cropped by 2 % a side": _crop(0.02),
    "cropped by 5 % a side": _crop(0.05),
    "cropped by 10 % a side": _crop(0.10),
    "turned by 2°": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "photo of a screen": _off_a_screen,
}
"""What is measured and promised of none."""

QUALITIES = {"re-encoded, quality 40": 40}


def save(image: Image.Image, *, quality: int = 85) -> bytes:
    """A JPEG."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()
