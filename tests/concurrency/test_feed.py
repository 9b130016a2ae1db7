"""P4 on PostgreSQL with real processes; the long run is ``python -m tests.concurrency.feed``."""

import json

import pytest

from tests.concurrency import feed

SMALL = ("--rows", "20000", "--writers", "32", "--pollers", "4", "--hold", "3")


def told(output: str) -> dict[str, int]:
    """The last line, which is the result."""
    result: dict[str, int] = json.loads(output.splitlines()[-1])
    return result


def test_trap_1_no_reader_misses_a_row_of_32_writers(capfd: pytest.CaptureFixture[str]) -> None:
    status = feed.main(list(SMALL))
    result = told(capfd.readouterr().out)
    assert status == 0, result
    assert result["rows"] == 20_000


def test_trap_1_a_plain_sequence_cursor_would_miss_rows(capfd: pytest.CaptureFixture[str]) -> None:
    """The test of the test: with the naive reader the same run must fail."""
    status = feed.main(["--rows", "4000", "--writers", "16", "--pollers", "1", "--naive"])
    assert status == 1
    assert told(capfd.readouterr().out)["missed"] > 0
