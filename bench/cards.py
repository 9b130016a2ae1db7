"""The records of a run: the same values for every system, about 700 bytes of JSON each."""

import random
from dataclasses import dataclass
from typing import Any

from server.clock import SystemClock
from server.ids import IdMaker

WORDS = (
    "shelf", "display", "promotion", "stock", "delivery", "price", "sample", "order", "return",
    "poster", "counter", "warehouse", "visit", "follow", "agreed", "missing", "fresh", "damaged",
)  # fmt: skip
IDS = IdMaker(SystemClock())


@dataclass(slots=True)
class Card:
    """One record as a device knows it; ``mark`` is the version or revision it saw last."""

    id: str
    values: dict[str, Any]
    mark: int | str = 0


def new_id() -> str:
    """A UUIDv7, for every system alike: ids that sort by time are the kinder ones to a store."""
    return IDS.new()


def make_cards(seed: str, count: int) -> list[Card]:
    """``count`` records; the same seed gives the same values."""
    source = random.Random(seed)
    return [Card(new_id(), _values(source, number)) for number in range(count)]


def _words(source: random.Random, count: int) -> str:
    return " ".join(source.choices(WORDS, k=count))


def _values(source: random.Random, number: int) -> dict[str, Any]:
    day, hour = source.randint(1, 28), source.randint(10, 20)
    return {
        "title": f"Call {number}: {_words(source, 3)}",
        "summary": _words(source, 34),
        "customer_name": _words(source, 2),
        "address": f"{source.randint(1, 999)} {_words(source, 3)} road",
        "phone": f"+86 21 {source.randint(10_000_000, 99_999_999)}",
        "contact": _words(source, 2),
        "topic": source.choice(("service", "product", "price")),
        "quantity": source.randint(0, 5000),
        "amount": f"{source.randint(0, 99_999)}.{source.randint(0, 99):02d}",
        "started_at": f"2026-03-{day:02d}T{hour}:00:00+08:00",
        "ended_at": f"2026-03-{day:02d}T{hour}:40:00+08:00",
        "solved": source.random() < 0.5,
        "rating": source.randint(1, 5),
        "remark": _words(source, 6),
    }


def make_change(source: random.Random) -> dict[str, Any]:
    """Two or three changed fields, the remark always among them."""
    changed: dict[str, Any] = {"remark": _words(source, 8), "quantity": source.randint(0, 5000)}
    if source.random() < 0.5:
        changed["solved"] = source.random() < 0.5
    return changed
