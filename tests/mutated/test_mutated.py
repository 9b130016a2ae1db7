"""The mistakes that are made in rules, and a few of them noticed; all of them: the command."""

import ast
import subprocess
import sys

from tests.mutated.__main__ import all_mutants, read_reasons
from tests.mutated.mutants import mutants_of
from tests.mutated.trial import ROOT

SOURCE = '''
LIMIT: int = 20

def is_enough(pieces, unloaded):
    """Not less than 20."""
    return not pieces < LIMIT or (unloaded and pieces != 0)
'''


def test_each_comparison_limit_connective_and_negation_is_changed_once() -> None:
    changes = [
        mutant.change.replace("(", "").replace(")", "") for mutant in mutants_of("m", SOURCE)
    ]
    whole = "not pieces < LIMIT or unloaded and pieces != 0"
    assert changes == [
        "20 -> 21",
        "20 -> 19",
        f"{whole} -> {whole.replace(' or ', ' and ')}",
        "not pieces < LIMIT -> pieces < LIMIT",
        "pieces < LIMIT -> pieces <= LIMIT",
        "pieces < LIMIT -> pieces >= LIMIT",
        "unloaded and pieces != 0 -> unloaded or pieces != 0",
        "pieces != 0 -> pieces == 0",
        "0 -> 1",
        "0 -> -1",
    ]


def test_a_mistake_changes_its_own_place_and_nothing_else() -> None:
    turned = [ast.unparse(mutant.tree_of(SOURCE)) for mutant in mutants_of("m", SOURCE)]
    assert len({*turned, ast.unparse(ast.parse(SOURCE))}) == len(turned) + 1


def test_every_reason_is_about_a_mistake_that_can_be_made() -> None:
    reasons = read_reasons()
    assert reasons.keys() <= {mutant.name for mutant in all_mutants()}
    assert all(reasons.values())


def test_every_mistake_in_the_rules_of_links_is_noticed() -> None:
    chosen = ["--module", "server.domain.links.rules", "--tests", "tests/domain/test_links.py"]
    command = [sys.executable, "-m", "tests.mutated", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
