"""Makes one mistake after the other in the rules and runs their tests, which must notice it.

    python -m tests.mutated                        all of them; may take an hour
    python -m tests.mutated --module MODULE        those of one module (several times, too)
    python -m tests.mutated -j 2                   so many at a time

Prints what was not noticed. Exit status 1 where that has no reason in ``reasons.toml``.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutated.mutants import Mutant, mutants_of
from tests.mutated.trial import ROOT, TESTS, Trials, file_of

MODULES = (
    "server.casework.calendars",
    "server.casework.deadlines",
    "server.domain.cases.checks",
    "server.domain.cases.penalizing",
    "server.domain.cases.pricing",
    "server.domain.cases.rules",
    "server.domain.customers.rules",
    "server.domain.evidence.rules",
    "server.domain.faults.rules",
    "server.domain.goods.rules",
    "server.domain.links.rules",
    "server.domain.money.rules",
    "server.domain.review.rules",
    "server.domain.visits.rules",
)
REASONS = Path(__file__).with_name("reasons.toml")


def all_mutants(modules: Sequence[str] = MODULES) -> list[Mutant]:
    """Every mistake in every one of ``modules``."""
    return [
        mutant
        for module in modules
        for mutant in mutants_of(module, file_of(module).read_text("utf-8"))
    ]


def read_reasons() -> dict[str, str]:
    """Name of a mutant → why no test can notice it."""
    reasons: dict[str, str] = tomllib.loads(REASONS.read_text("utf-8"))
    return reasons


def hunt(mutants: Sequence[Mutant], jobs: int, tests: Sequence[str]) -> list[Mutant]:
    """Those that no test noticed. *Raises* where the tests fail without any mistake."""
    trials = Trials(mutants, jobs, lambda one: sys.stdout.write(f"not noticed: {one.name}\n"))
    os.chdir(ROOT)
    status = pytest.main(["--tb=short", "-k", "not postgresql", *tests], [trials])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest did not run: {status}")
    return trials.unnoticed


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 where a mistake was not noticed and nobody has written why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", action="append", choices=MODULES, help="only this one")
    parser.add_argument("--tests", action="append", help="by these tests alone")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="so many at a time")
    given = parser.parse_args(arguments)
    reasons, mutants = read_reasons(), all_mutants(given.module or MODULES)
    survivors = hunt(mutants, given.jobs, given.tests or [TESTS])
    open_ones = [mutant for mutant in survivors if mutant.name not in reasons]
    noticed = len(mutants) - len(survivors)
    with_reason = len(survivors) - len(open_ones)
    sys.stdout.write(
        f"{len(mutants)} mistakes, {noticed} noticed, {with_reason} not, with a reason,"
        f" {len(open_ones)} not, without one\n"
    )
    return 1 if open_ones else 0


if __name__ == "__main__":
    raise SystemExit(main())
