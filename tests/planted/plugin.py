"""Lets pytest run with a bug in the program: ``-p tests.planted.plugin --planted ID``.

It is planted before any test is imported, so that tests meet the faulty functions only.
"""

from contextlib import ExitStack

import pytest

from tests.planted.registry import BUGS


def pytest_addoption(parser: pytest.Parser) -> None:
    """The name of the bug."""
    parser.addoption("--planted", required=True, choices=BUGS, help="the bug to plant")


def pytest_configure(config: pytest.Config) -> None:
    """Plants it until the run ends."""
    stack = ExitStack()
    stack.enter_context(BUGS[config.getoption("--planted")].plant())
    config.add_cleanup(stack.close)
