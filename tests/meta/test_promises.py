"""Every promise and rule that is stated has a test that carries its id, and the other way round."""

import re
from collections.abc import Iterable

import pytest

from tests.meta.source import DOCS, ROOT, names_of_tests, python_files, shown

STATED = re.compile(r"^- \*\*([A-Z][0-9]+)\*\*", re.MULTILINE)
CARRIED = re.compile(r"_([a-z][0-9]{1,2})(?=_|$)")
PROMISES = "PM"
RULES = "KVXFRB"


def _stated(name: str) -> set[str]:
    return set(STATED.findall((DOCS / name).read_text("utf-8")))


def _carried(letters: str) -> set[str]:
    """The ids that stand at the beginning of tests' names: ``test_p2_m1_…`` carries two."""
    found = set[str]()
    for name in names_of_tests():
        leading = re.match(r"test((?:_[a-z][0-9]{1,2})+)(?=_)", name)
        found |= {one.upper() for one in CARRIED.findall(leading[1])} if leading else set()
    return {one for one in found if one[0] in letters}


def _sorted(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda one: (one[0], int(one[1:])))


def test_every_promise_that_is_stated_has_a_test() -> None:
    assert _sorted(_stated("protocol.md") - _carried(PROMISES)) == []


def test_every_promise_that_a_test_carries_is_stated() -> None:
    assert _sorted(_carried(PROMISES) - _stated("protocol.md")) == []


def test_every_rule_that_is_stated_has_a_test() -> None:
    assert _sorted(_stated("rules.md") - _carried(RULES)) == []


def test_every_rule_that_a_test_carries_is_stated() -> None:
    assert _sorted(_carried(RULES) - _stated("rules.md")) == []


@pytest.mark.parametrize("promise", _sorted(_stated("protocol.md")))
def test_every_promise_is_named_by_the_code_that_keeps_it(promise: str) -> None:
    named = re.compile(rf"\b{promise}\b")
    shipped = python_files(ROOT / "server", ROOT / "client_sdk" / "src")
    assert [shown(path) for path in shipped if named.search(path.read_text("utf-8"))]
