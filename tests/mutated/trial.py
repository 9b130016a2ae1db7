"""Runs the tests of the rules with one mistake in the rules: a plugin of pytest.

Tests are collected once, and run once as they are, to see which of them call which rule. Then a
process of its own for each mistake puts it into the functions that are already there, so that no
file changes, and runs the tests that call the function, the quickest first, until one fails.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import pytest

from tests.mutated.mutants import Mutant

ROOT = Path(__file__).parents[2]
TESTS = "tests/domain"
CPU_SECONDS = 20
"""A mistake may keep a loop from ending; no test takes so long."""
Calls = Mapping[str, Sequence[str]]
"""Module and function → the tests that call it, the quickest first."""
NOTICED = 1
UNNOTICED = 0


def file_of(module: str) -> Path:
    """Where the source of ``module`` is."""
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


class Trials:
    """Tries ``mutants``, ``jobs`` at a time, in place of the tests that pytest would run."""

    def __init__(
        self, mutants: Sequence[Mutant], jobs: int, tell: Callable[[Mutant], object]
    ) -> None:
        self.mutants, self.jobs, self.tell = mutants, jobs, tell
        self.unnoticed: list[Mutant] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """*Raises* where a test fails without any mistake."""
        modules = {mutant.module for mutant in self.mutants}
        calls = _watch(session, modules)
        for mutant, status in _run_all(session, self.mutants, calls, self.jobs):
            if status == UNNOTICED:
                self.unnoticed.append(mutant)
                self.tell(mutant)
        return True


def _watch(session: pytest.Session, modules: Collection[str]) -> Calls:
    """Runs every test once, in a process of its own, and notes what each calls."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "calls.json")
        child = os.fork()
        if child == 0:
            _leave(lambda: _note_calls(session, modules, told))
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != UNNOTICED:
            raise RuntimeError("a test fails without any mistake")
        calls: Calls = json.loads(told.read_text("utf-8"))
        return calls


def _note_calls(session: pytest.Session, modules: Collection[str], told: Path) -> int:
    files = {str(file_of(module)): module for module in modules}
    took: dict[str, dict[str, float]] = {}
    for item, following in _pairs(session.items):
        called: set[str] = set()
        watch = _watcher(files, called)
        began = time.monotonic()
        threading.setprofile(watch)
        sys.setprofile(watch)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        sys.setprofile(None)
        for name in called:
            took.setdefault(name, {})[item.nodeid] = time.monotonic() - began
    calls = {name: sorted(tests, key=lambda test: tests[test]) for name, tests in took.items()}
    told.write_text(json.dumps(calls), "utf-8")
    return NOTICED if session.testsfailed else UNNOTICED


def _watcher(files: Mapping[str, str], called: set[str]) -> Callable[..., None]:
    def watch(frame: FrameType, event: str, _what: object) -> None:
        module = files.get(frame.f_code.co_filename) if event == "call" else None
        if module is not None:
            called.add(f"{module}:{frame.f_code.co_name}")
            called.add(f"{module}:")

    return watch


def _run_all(
    session: pytest.Session, mutants: Sequence[Mutant], calls: Calls, jobs: int
) -> Iterator[tuple[Mutant, int]]:
    running: dict[int, Mutant] = {}
    for mutant in mutants:
        while len(running) >= jobs:
            yield _ended(running)
        child = os.fork()
        if child == 0:
            _leave(lambda mutant=mutant: _try(session, mutant, calls))  # type: ignore[misc]
        running[child] = mutant
    while running:
        yield _ended(running)


def _ended(running: dict[int, Mutant]) -> tuple[Mutant, int]:
    child, status = os.wait()
    return running.pop(child), status


def _leave(act: Callable[[], int]) -> None:
    """Ends this process with what ``act`` returns, silently, and with a folder of its own."""
    status = NOTICED
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
            status = act()
    finally:
        os._exit(status)


def _try(session: pytest.Session, mutant: Mutant, calls: Calls) -> int:
    session.config.pluginmanager.unregister(name="terminalreporter")
    plant(mutant)
    tests = {item.nodeid: item for item in session.items}
    called = calls.get(f"{mutant.module}:{mutant.function}", calls.get(f"{mutant.module}:", ()))
    for item, following in _pairs([tests[name] for name in called]):
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)  # ends this process
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return NOTICED
    return UNNOTICED


def _pairs(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=False)


def plant(mutant: Mutant) -> None:
    """Puts the mistake into this process: into functions as they are, and in place of values."""
    module = sys.modules[mutant.module]
    wrong: dict[str, Any] = {"__name__": mutant.module, "__file__": module.__file__}
    tree = mutant.tree_of(file_of(mutant.module).read_text("utf-8"))
    exec(compile(tree, str(module.__file__), "exec"), wrong)
    for name, value in wrong.items():
        stands = vars(module).get(name)
        if getattr(stands, "__module__", mutant.module) == mutant.module:
            _replace(stands, value)
        if not callable(value) and value != stands:
            _put_everywhere(stands, value)


def _put_everywhere(stands: Any, wrong: Any) -> None:
    """Also where a module has imported it; what was made of it before stays."""
    for module in tuple(sys.modules.values()):
        for name in [name for name, value in vars(module).items() if value is stands]:
            setattr(module, name, wrong)


def _replace(stands: Any, wrong: Any) -> None:
    stands, wrong = (getattr(one, "__wrapped__", one) for one in (stands, wrong))
    if isinstance(stands, FunctionType):
        stands.__code__, stands.__defaults__ = wrong.__code__, wrong.__defaults__
    elif isinstance(stands, type):
        for name, value in vars(stands).items():
            if isinstance(value, FunctionType) and name in vars(wrong):
                value.__code__ = getattr(vars(wrong)[name], "__code__", value.__code__)
