"""What a planted bug is, and how one is put into the running program. No bugs here.

A bug replaces a named function of the server or of the client, at its home and wherever it was
imported to, for as long as a context lasts. Nothing outside the tests knows of any of this.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, is_dataclass, replace
from importlib import import_module
from inspect import getdoc
from types import ModuleType
from typing import Any, TypeVar

import msgspec

Maker = Callable[[Any], Any]
"""Takes what is there and gives what is put in its place."""

Value = TypeVar("Value")

PACKAGES = ("server", "fieldstamp")
EVERYTHING = ("server.app", "server.work.worker", "server.upkeep.restore", "fieldstamp")
"""Importing these imports whatever a test of the promises runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One mistake that somebody could have made."""

    id: str
    sentence: str
    """What the program does with the mistake in it."""
    breaks: str
    """The promise that is broken by it."""
    at: tuple[str, ...]
    """Where: ``module:name`` or ``module:Class.name``."""
    make: Maker
    from_protocol: bool
    """Written from the protocol's text alone."""

    @contextmanager
    def plant(self) -> Iterator[None]:
        """The program has the bug until the block ends."""
        with ExitStack() as stack:
            for place in self.at:
                stack.enter_context(_replaced(place, self.make))
            yield


class Bed:
    """Bugs by id, in the order in which they were written."""

    def __init__(self) -> None:
        self.bugs: dict[str, Bug] = {}

    def bug(self, *at: str, breaks: str, from_protocol: bool = False) -> Callable[[Maker], Maker]:
        """Declares the decorated function as a bug: its name is the id, its docstring the
        sentence, and it makes the faulty function from the good one."""

        def declare(make: Maker) -> Maker:
            name, sentence = make.__name__, getdoc(make) or ""
            if name in self.bugs:
                raise ValueError(f"two bugs are called {name}")
            self.bugs[name] = Bug(
                id=name,
                sentence=" ".join(sentence.split()),
                breaks=breaks,
                at=at,
                make=make,
                from_protocol=from_protocol,
            )
            return make

        return declare


def altered(value: Value, **changes: Any) -> Value:
    """The same value but for ``changes``, whichever library made its class."""
    if is_dataclass(value):
        return replace(value, **changes)  # type: ignore[type-var]
    altered_one: Value = msgspec.structs.replace(value, **changes)  # type: ignore[type-var]
    return altered_one


def find_target(place: str) -> tuple[Any, str, Any]:
    """Owner, name and value of ``module:name`` or ``module:Class.name``. Raises AttributeError."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *classes, name = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    if name not in vars(owner):
        raise AttributeError(f"{place} does not exist")
    return owner, name, vars(owner)[name]


@contextmanager
def _replaced(place: str, make: Maker) -> Iterator[None]:
    for name in EVERYTHING:
        import_module(name)
    owner, name, good = find_target(place)
    faulty = make(good)
    held = [(owner, name)] if isinstance(owner, type) else list(_holders(good))
    try:
        for holder, known_as in held:
            setattr(holder, known_as, faulty)
        yield
    finally:
        for holder, known_as in held:
            setattr(holder, known_as, good)


def _holders(good: Any) -> Iterator[tuple[ModuleType, str]]:
    """Every module of the program that has ``good``, and the name under which it has it."""
    for title, module in list(sys.modules.items()):
        if title.partition(".")[0] in PACKAGES:
            for name, value in list(vars(module).items()):
                if value is good:
                    yield module, name
