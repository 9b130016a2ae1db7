"""The sweep notices when less is synced than must be: whatever is left out loses something."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from fieldstamp._store import Store
from server.db import has_wal_race, sqlite
from server.extensions import db
from tests.durability.ground import Ground
from tests.durability.playbill import SCENES
from tests.durability.scenes import Scene
from tests.durability.sweep import Finding, calls_of, chosen, lose_power

SEEDS = range(6)
SERVER_STORE = (
    ("rollback.sync", "store.sync")
    if has_wal_race(sqlite.sqlite_version_info)
    else ("wal.sync", "wal.sync_folder", "store.sync")
)
NEEDED = [
    *(("push", f"server.{point}") for point in SERVER_STORE),
    ("journal", "server.journal.sync"),
    ("upload", "server.part.sync"),
    ("upload", "server.part.sync_folder"),
    ("upload", "server.blob.sync_folder"),
    ("save", "phone.blob.sync"),
    ("save", "phone.blob.sync_folder"),
]
"""A scene and a sync that it cannot do without."""


def first_loss(scene: Scene, points: list[str], unsynced: str = "") -> Finding | None:
    """The first loss that a sweep finds, which tries calls far apart first."""
    for number in sorted(chosen(points, every=10), key=lambda number: number * 37 % 101):
        for finding in lose_power(scene, number, SEEDS, unsynced=unsynced):
            return finding
    return None


@pytest.mark.parametrize(("name", "point"), NEEDED)
def test_p3_m1_m4_a_sync_that_is_left_out_is_missed(ground: Ground, name: str, point: str) -> None:
    scene = SCENES[name](ground)
    points = calls_of(scene)
    assert point in points
    assert first_loss(scene, points, unsynced=point) is not None


def test_p6_every_sync_of_the_phones_store_is_missed_when_it_is_left_out(ground: Ground) -> None:
    scene = SCENES["save"](ground)
    points = calls_of(scene)
    files = {"phone.wal.sync", "phone.rollback.sync", "phone.store.sync"}
    needed = sorted({point for point in points if point in files})
    assert needed
    assert [point for point in needed if first_loss(scene, points, point) is None] == []


@contextmanager
def lowered(ground: Ground, level: str) -> Iterator[None]:
    """A server whose store syncs less."""

    def lower(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA synchronous={level}")

    with ground.office.app.app_context():
        engine = db.engine
    event.listen(engine, "connect", lower)
    try:
        yield
    finally:
        event.remove(engine, "connect", lower)


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_p3_a_server_whose_store_syncs_less_is_found_out(ground: Ground, level: str) -> None:
    scene = SCENES["push"](ground)
    points = calls_of(scene)
    with lowered(ground, level):
        assert first_loss(scene, points) is not None
        scene.close()
    assert first_loss(scene, points[-20:]) is None


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_p6_a_phone_whose_store_syncs_less_is_found_out(
    ground: Ground, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = SCENES["save"](ground)
    points = calls_of(scene)
    prepare = Store._prepare

    def lower(store: Store) -> None:
        prepare(store)
        store._connection.execute(f"PRAGMA synchronous = {level}")

    monkeypatch.setattr(Store, "_prepare", lower)
    assert first_loss(scene, points) is not None
