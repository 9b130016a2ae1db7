"""The benchmark runs as it is documented, and its loads are what they say they are."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.meta.source import ROOT

RECORDS, SECONDS = 800, 900
SYSTEMS = ("fieldstamp_pg", "tus_server")


@pytest.fixture(scope="module")
def medians(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What one short run measured on two systems."""
    told = tmp_path_factory.mktemp("bench") / "run.json"
    run_bench(told, "--systems", "fieldstamp", "bare")
    return orjson.loads(told.read_bytes())["medians"]


def run_bench(told: Path, *more: str) -> None:
    """One short run; ``told`` gets all that it measured."""
    command = [sys.executable, "-W", "ignore", "-m", "bench", "--quick", "--json", str(told)]
    subprocess.run(
        [*command, "--records", str(RECORDS), *more],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )


def test_p2_the_same_batch_again_makes_no_duplicate_and_is_told_the_first_versions(
    medians: Any,
) -> None:
    assert medians["fieldstamp"]["again_100"]["counts"] == {"repeated": RECORDS, "delivered": 0}


@pytest.mark.parametrize("system", ["fieldstamp", "bare"])
def test_one_update_in_ten_is_stale_and_no_push_fails(medians: Any, system: str) -> None:
    assert medians[system]["update_100"]["counts"] == {"taken": 720, "lost": 80}
    assert medians[system]["push_100"]["counts"] == {"taken": RECORDS}


def test_an_idle_poll_delivers_nothing(medians: Any) -> None:
    assert medians["fieldstamp"]["poll"]["counts"] == {"delivered": 0}
    assert medians["fieldstamp"]["poll"]["rate"] > 0


def test_uploads_arrive_whole_on_two_systems_and_are_measured_in_two_ways(tmp_path: Path) -> None:
    told = tmp_path / "uploads.json"
    command = [sys.executable, "-W", "ignore", "-m", "bench", "--uploads", "--quick"]
    done = subprocess.run(
        [*command, "--photos", "8", "--systems", *SYSTEMS, "--json", str(told)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if "not measured" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    [turn] = orjson.loads(told.read_bytes())
    assert {name: sorted(ways) for name, ways in turn.items()} == {
        "fieldstamp_pg": ["512_kb", "whole"],
        "tus_server": ["512_kb", "whole"],
    }
    assert all(sent["rate"] > 0 for ways in turn.values() for sent in ways.values())
