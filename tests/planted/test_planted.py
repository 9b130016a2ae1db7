"""The planted bugs themselves: each has its place in the program and is found by what it names."""

import ast
from pathlib import Path

import pytest

from tests.planted.__main__ import find
from tests.planted.bug import Bug, find_target
from tests.planted.registry import BUGS, FOUND_BY

ROOT = Path(__file__).parents[2]
QUICK = (
    "the_last_writer_wins",
    "a_mutation_that_comes_again_is_a_new_one",
    "the_cursor_is_stored_before_the_page",
    "the_hash_of_a_whole_file_is_not_checked",
)
"""A few that are found quickly, in every part of the program; all of them: the command."""


def test_there_are_thirty_bugs_and_ten_come_from_the_protocol_alone() -> None:
    assert len(BUGS) >= 30
    assert sum(bug.from_protocol for bug in BUGS.values()) >= 10


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
def test_a_bug_has_its_place_and_leaves_it_as_it_was(bug: Bug) -> None:
    good = [find_target(place)[2] for place in bug.at]
    with bug.plant():
        assert all(find_target(p)[2] is not one for p, one in zip(bug.at, good, strict=True))
    assert [find_target(place)[2] for place in bug.at] == good


def test_each_bug_and_nothing_else_names_what_finds_it() -> None:
    assert FOUND_BY.keys() == BUGS.keys()


@pytest.mark.parametrize("bug", FOUND_BY)
def test_what_finds_a_bug_is_there(bug: str) -> None:
    assert FOUND_BY[bug]
    for test in FOUND_BY[bug]:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name.rpartition("::")[2].partition("[")[0] in names


@pytest.mark.parametrize("bug", QUICK)
def test_a_planted_bug_is_found(bug: str) -> None:
    """That the same tests pass without it is seen where they run."""
    assert find(BUGS[bug]).by.partition("[")[0] in FOUND_BY[bug]
