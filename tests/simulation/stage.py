"""What stands in for machinery that is not the subject here, while a run lasts."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import sqlalchemy
from sqlalchemy import Engine
from werkzeug.routing import Rule

from server.api.kinds import describe_kinds
from server.api.openapi import Blueprint, Surface
from server.domain import all_kinds
from server.media import images, pictures
from server.sync import epochs

MAKE_ENGINE, MAKE_BUILDER = sqlalchemy.engine_from_config, Rule._compile_builder


class Remembered:
    """``act`` with a memory for what it was asked last."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self._act = act
        self._asked: tuple[Any, ...] | None = None
        self._told: Any = None

    def __call__(self, *asked: Any) -> Any:
        if asked != self._asked:
            self._asked, self._told = asked, self._act(*asked)
        return self._told


class Engines:
    """Engines that share what statements look like in SQL; each has connections of its own."""

    def __init__(self) -> None:
        self._first: Engine | None = None

    def __call__(self, options: dict[str, Any], prefix: str) -> Engine:
        engine = MAKE_ENGINE(options, prefix)
        first = self._first = self._first or engine
        engine.dialect = engine.pool._dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
        return engine


def remember_builder(rule: Rule, append_unknown: bool = True) -> Any:
    """What makes addresses of ``rule``, put together once."""
    asked = (rule.rule, tuple(rule._trace), append_unknown)
    if rule.defaults or asked not in BUILDERS:
        BUILDERS[asked] = MAKE_BUILDER(rule, append_unknown)
    return BUILDERS[asked]


def register_plainly(surface: Surface, blueprint: Blueprint) -> None:
    """Registers ``blueprint``, and does not describe it."""
    surface._app.register_blueprint(blueprint)


def describe_nothing(_surface: Surface, *_given: Any, **_more: Any) -> None:
    """Nobody here reads the document about the JSON surface."""


BUILDERS: dict[Any, Any] = {}
STAND_INS = {
    "server.app.send_wake_up": lambda _settings: None,
    "server.services.all_kinds": Remembered(all_kinds),
    "server.policies.reading.all_kinds": Remembered(all_kinds),
    "server.api.sync.describe_kinds": Remembered(describe_kinds),
    "sqlalchemy.engine_from_config": Engines(),
    "werkzeug.routing.rules.Rule._compile_builder": remember_builder,
    "server.api.openapi.Surface._init_spec": describe_nothing,
    "server.api.openapi.Surface.complete": describe_nothing,
    "server.api.openapi.Surface.register_blueprint": register_plainly,
}


PORTIONS = (
    "fieldstamp._pull._PAGE",
    "fieldstamp._resync._PAGE",
    "fieldstamp._outbox.LARGEST_BATCH",
)
"""How much a device asks for and hands in at once."""
PIECES = ("fieldstamp._tus.SMALLEST", "fieldstamp._tus.FIRST_CHUNK", "fieldstamp._tus.LARGEST")
"""How much of a photo a device sends at once; those of this company have 700 bytes."""
PIECE = 60
"""Bytes of a photo for each record of a page."""


class EpochNames:
    """Names of epochs from the seed: cursors hold one, and how long they are depends on it."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"epochs {seed}")

    def token_hex(self, size: int) -> str:
        """The next ``size`` bytes, in hex."""
        return self._chance.randbytes(size).hex()


@contextmanager
def staged(seed: int, portion: int) -> Iterator[None]:
    """Devices take and hand in ``portion`` at once (P4: a page and its cursor; P8: batches): a
    company of this size would never see a second page.

    Pictures are examined within this process, no wake-up ever reaches a worker, nothing is
    described for readers of the JSON surface, and what follows from the program and the policy
    alone is put together once: kinds, addresses, statements in SQL.

    The first is slow and has limits of the machine, the second only saves seconds (the sweep finds
    all), and a server that starts anew takes none of the last from its store. All have tests of
    their own.
    """
    with ExitStack() as stage:
        stage.enter_context(patch.object(pictures, "examine_apart", images.examine))
        for name, stand_in in STAND_INS.items():
            stage.enter_context(patch(name, stand_in))
        stage.enter_context(patch.object(epochs, "secrets", EpochNames(seed)))
        for name in PORTIONS:
            stage.enter_context(patch(name, portion))
        for name in PIECES:
            stage.enter_context(patch(name, PIECE * portion))
        yield
