"""Shows that each planted bug is found: plants one after the other and runs the tests that should.

    python -m tests.planted                 all of them, as a table
    python -m tests.planted --bug ID        one of them (may be given several times)

First all these tests run on the program as it is, where they must pass. Then, with each bug in it,
the program must still get through an ordinary day, so that a bug that breaks everything at once
does not count as found; and one of its tests must fail. Exit status 1 where that is not so.
"""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.planted.bug import Bug
from tests.planted.registry import BUGS, FOUND_BY

ROOT = Path(__file__).parents[2]
ORDINARY = "tests/planted/test_ordinary.py"
FAILED = re.compile(r"^FAILED (\S+?::\S+)", re.MULTILINE)
COUNT = re.compile(r"(\d+) (?:passed|failed)")
PASSED, SOME_FAILED = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run with a bug in the program told."""

    bug: Bug
    by: str
    """The test that found it; empty: none did."""
    after: int
    """Tests that ran until then, this one included."""
    seconds: float


def run_pytest(*arguments: str) -> tuple[int, str]:
    """Exit status and output of one run of pytest."""
    command = [sys.executable, "-m", "pytest", "--tb=no", "-rf", "-v", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def _chosen(tests: Iterable[str]) -> list[str]:
    """SQLite is enough, but for what only PostgreSQL can show."""
    named = list(dict.fromkeys(tests))
    quick = [] if any("postgresql" in one for one in named) else ["-k", "not postgresql"]
    return [*quick, *named]


def check_tests(bugs: Sequence[Bug]) -> str:
    """What pytest says of all the tests where no bug is planted; empty: they pass."""
    tests = [test for bug in bugs for test in FOUND_BY[bug.id]]
    for slow in (False, True):
        part = [test for test in tests if slow is ("postgresql" in test)]
        status, told = run_pytest(*_chosen(part)) if part else (PASSED, "")
        if status != PASSED:
            return told
    return ""


def find(bug: Bug) -> Found:
    """Runs the bug's tests with the bug in the program."""
    planted = ("-p", "tests.planted.plugin", "--planted", bug.id, "-x")
    began = time.monotonic()
    status, told = run_pytest(*planted, *_chosen((ORDINARY, *FOUND_BY[bug.id])))
    took = time.monotonic() - began
    failed = FAILED.search(told)
    by = failed[1] if failed else ""
    if status not in {PASSED, SOME_FAILED} or by.startswith(ORDINARY):
        sys.stderr.write(f"{bug.id} does not get through an ordinary day:\n{told}")
        by = ""
    after = sum(int(count) for count in COUNT.findall(told.splitlines()[-1])) - 1
    return Found(bug=bug, by=by, after=after, seconds=took)


def row(found: Found) -> str:
    """A row of the table."""
    bug = found.bug
    origin = "protocol" if bug.from_protocol else ""
    name = found.by.rpartition("::")[2].partition("[")[0]
    test = f"`{name}`" if name else "**not found**"
    said = f"`{bug.id}`: {bug.sentence}"
    return f"| {said} | {bug.breaks} | {origin} | {test} | {found.after} | {found.seconds:.0f} |"


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit status 1 where a bug was not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bug", action="append", choices=BUGS, help="only this one")
    given = parser.parse_args(arguments)
    bugs = [BUGS[name] for name in given.bug or BUGS]
    if wrong := check_tests(bugs):
        sys.stdout.write(f"without any bug these tests must pass:\n{wrong}")
        return 1
    sys.stdout.write("| bug | breaks | written from | found by | after tests | seconds |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    missed = 0
    for bug in bugs:
        found = find(bug)
        missed += not found.by
        sys.stdout.write(row(found) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{len(bugs) - missed} of {len(bugs)} were found.\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
