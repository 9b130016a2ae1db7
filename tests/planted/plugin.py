"""Lets pytest run with a bug in the program: ``-p tests.planted.plugin --planted ID``.

It is planted before any test is imported, so that tests meet the faulty functions only; the
processes that tests start plant it themselves (``site/sitecustomize.py``).
"""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.planted.registry import BUGS

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """The name of the bug."""
    parser.addoption("--planted", required=True, choices=BUGS, help="the bug to plant")


def pytest_configure(config: pytest.Config) -> None:
    """Plants it until the run ends."""
    stack, bug = ExitStack(), config.getoption("--planted")
    stack.enter_context(BUGS[bug].plant())
    given = os.environ.get("PYTHONPATH", "")
    paths = [str(HERE / "site"), str(HERE.parents[1]), *filter(None, [given])]
    os.environ.update(PLANTED_BUG=bug, PYTHONPATH=os.pathsep.join(paths))
    config.add_cleanup(stack.close)
