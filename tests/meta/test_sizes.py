"""Functions and files stay short enough to be read at a glance."""

import ast
import statistics
from pathlib import Path

import pytest

from tests.meta.source import (
    ROOT,
    SERVER,
    Function,
    code_files,
    functions_of,
    length_of,
    python_files,
    shown,
    told,
    tree_of,
)

REVISIONS = ROOT / "migrations" / "versions"
LONGEST_FILE = 500
LONGEST_FUNCTION = 50
LONGEST_VIEW = 15
MEDIAN, TENTH = 8, 25
ROUTE_WORDS = frozenset({"route", "get", "post", "put", "patch", "delete"})


def _all_lengths() -> list[tuple[int, str]]:
    return [
        (length_of(function), told(path, function))
        for path in code_files()
        for function in functions_of(path)
    ]


def _is_view(function: Function) -> bool:
    """Whether a decorator ``something.route(…)`` (or ``.get(…)`` …) makes it answer a request."""
    names = (getattr(getattr(mark, "func", None), "attr", "") for mark in function.decorator_list)
    return not ROUTE_WORDS.isdisjoint(names)


def _views() -> list[tuple[int, str]]:
    return [
        (length_of(function), told(path, function))
        for path in python_files(SERVER / "api", SERVER / "backoffice", SERVER / "linked")
        for function in functions_of(path)
        if _is_view(function)
    ]


def test_no_function_is_longer_than_fifty_lines() -> None:
    assert [said for lines, said in _all_lengths() if lines > LONGEST_FUNCTION] == []


def test_half_of_all_functions_fit_in_eight_lines() -> None:
    assert statistics.median(lines for lines, _said in _all_lengths()) <= MEDIAN


def test_nine_of_ten_functions_fit_in_twenty_five_lines() -> None:
    lengths = sorted(lines for lines, _said in _all_lengths())
    assert lengths[len(lengths) * 9 // 10] <= TENTH


def test_views_are_found_and_none_is_longer_than_fifteen_lines() -> None:
    views = _views()
    assert len(views) > 10
    assert [said for lines, said in views if lines > LONGEST_VIEW] == []


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    """A revision of the store is a list of columns, written once; it may be long."""
    files = [path for path in python_files(ROOT) if not path.is_relative_to(REVISIONS)]
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


@pytest.mark.parametrize("path", python_files(ROOT), ids=shown)
def test_a_module_says_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(tree_of(path))
