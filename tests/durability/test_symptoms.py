"""Losses that were met once, each played at the very call at which it came."""

import pytest

from server import db
from tests.durability.ground import Ground
from tests.durability.playbill import SCENES
from tests.durability.sweep import calls_of, fail, kill, lose_power
from tests.simulation.disk import Verdict

SEEDS = range(8)


def places(points: list[str], point: str) -> list[int]:
    """The numbers of the calls at ``point``."""
    return [number for number, passed in enumerate(points, start=1) if passed == point]


def test_p3_on_an_older_sqlite_a_power_cut_does_not_undo_the_last_commit(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The removed journal came back with the power."""
    monkeypatch.setattr(db, "has_wal_race", lambda _version: True)
    ground.office.end()
    scene = SCENES["push"](ground)
    points = calls_of(scene)
    assert any("server.rollback" in point for point in points)
    findings = [
        f for n in range(len(points) - 5, len(points) + 2) for f in lose_power(scene, n, SEEDS)
    ]
    ground.office.end()
    assert findings == []


def test_p3_a_line_of_the_journal_whose_sync_failed_damages_no_later_line(ground: Ground) -> None:
    scene = SCENES["journal"](ground)
    for number in places(calls_of(scene), "server.journal.sync"):
        assert list(fail(scene, number, Verdict.BROKEN, SEEDS, lasts=False)) == []


def test_p3_a_line_that_a_killed_process_left_is_synced_before_it_is_taken_in(
    ground: Ground,
) -> None:
    scene = SCENES["journal"](ground)
    for number in places(calls_of(scene), "server.journal.sync"):
        assert list(kill(scene, number, SEEDS)) == []


def test_p3_what_a_killed_server_left_uncertain_is_synced_before_it_is_answered(
    ground: Ground,
) -> None:
    """The next process read the commit, a phone called itself synced, and the power went."""
    scene = SCENES["sync-server"](ground)
    points = calls_of(scene)
    commits = places(points, "server.wal.sync") or places(points, "server.rollback.sync")
    assert commits
    for number in commits:
        assert list(kill(scene, number, range(4))) == []


def test_a_first_start_that_was_killed_between_journal_and_commit_can_be_repeated(
    ground: Ground,
) -> None:
    scene = SCENES["start"](ground)
    [begun] = places(calls_of(scene), "server.journal.create")
    for number in range(begun + 3, begun + 6):
        assert list(kill(scene, number, range(1))) == []


def test_p6_a_photo_that_a_killed_save_left_is_published_anew_by_the_next(ground: Ground) -> None:
    scene = SCENES["save"](ground)
    points = calls_of(scene)
    for number in (*places(points, "phone.blob.sync_folder"), *places(points, "phone.blob.unlink")):
        assert list(kill(scene, number, SEEDS)) == []


def test_p6_a_sync_that_fails_while_a_backup_is_put_in_place_leaves_no_doubt_about_the_copy(
    ground: Ground,
) -> None:
    """SQLite passed over it; the copy was in place and called restored, and went with the power."""
    scene = SCENES["restore"](ground)
    for number in places(calls_of(scene), "server.folder.sync")[:6]:
        assert list(fail(scene, number, Verdict.BROKEN, range(1), lasts=False)) == []
