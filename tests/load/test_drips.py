"""A small part of the load, on every change: slow clients do not stand in anybody's way."""

from pathlib import Path

import pytest

from tests.load import drips, front

SECONDS = 4


@pytest.mark.parametrize("nginx", [False, True], ids=["alone", "behind nginx"])
def test_attack_18_slow_clients_do_not_stand_in_the_way_of_others(
    tmp_path: Path, nginx: bool
) -> None:
    try:
        with drips.open_stage(tmp_path, nginx=nginx, rate=10) as stage:
            slow = drips.drips(stage, count=40, per_second=5_000, seconds=SECONDS)
            assert (slow.answers.failed, slow.uploads.refused) == ([], 0)
            assert slow.answers.beside
            still = drips.stalls(stage, count=16, seconds=SECONDS)
            assert (still.answers.failed, still.uploads.refused) == ([], 0)
            assert still.answers.beside
            if nginx:
                crawling = drips.crawls(stage, count=40, seconds=SECONDS)
                assert crawling.answers.failed == []
    except front.Missing as missing:
        pytest.skip(f"the file of deploy/ was not tried: {missing}")


def test_attack_18_uploads_beyond_the_slots_are_refused_and_nobody_waits(tmp_path: Path) -> None:
    few = {"FIELDSTAMP_THREADS": "24", "FIELDSTAMP_UPLOAD_SLOTS": "8"}
    with drips.open_stage(tmp_path, nginx=False, rate=10, **few) as stage:
        row = drips.drips(stage, count=60, per_second=5_000, seconds=SECONDS)
    assert row.answers.failed == []
    assert 0 < row.uploads.served < 60
    assert row.uploads.refused == 60 - row.uploads.served
