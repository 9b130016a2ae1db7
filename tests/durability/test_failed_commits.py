"""A commit whose sync fails, and a process that is killed then: what the next one commits lasts."""

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from fieldstamp import StorageFullError, _store
from fieldstamp._store import Store
from server.db import engine_options, has_wal_race, prepare, sqlite, transaction
from tests.simulation.disk import Call, Machine, Verdict, let_go

DICE = [Random(seed) for seed in range(24)]


def fail_syncs(call: Call) -> Verdict:
    """The disk is full, and says so at the last moment."""
    return Verdict.FULL if call.point.endswith(".wal.sync") else Verdict.GO


def opened(folder: Path) -> Engine:
    """The store as a process opens it that has just been started."""
    url = f"sqlite:///{folder / 'fieldstamp.sqlite'}"
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


def write(engine: Engine, statement: str) -> None:
    with Session(engine) as session, transaction(session):
        session.execute(text(statement))


@pytest.mark.skipif(
    has_wal_race(sqlite.sqlite_version_info), reason="this SQLite is used without a WAL"
)
def test_p3_a_commit_behind_one_whose_sync_failed_in_a_killed_process_survives_a_power_cut(
    server: Machine,
) -> None:
    """The sync of what was found said nothing: the system had forgotten that it was not written."""
    first = opened(server.folder)
    write(first, "CREATE TABLE word (said TEXT)")
    server.judge = fail_syncs
    with pytest.raises(OperationalError):
        write(first, "INSERT INTO word VALUES ('refused')")
    server.judge = let_go
    server.restart(None)
    first.dispose()
    second = opened(server.folder)
    write(second, "INSERT INTO word VALUES ('answered')")
    moment = server.tree.copy()
    second.dispose()
    for dice in DICE:
        server.restart_from(moment, dice)
        third = opened(server.folder)
        with third.connect() as connection:
            found = connection.execute(text("SELECT said FROM word")).scalars().all()
        third.dispose()
        assert "answered" in found


def test_p1_a_save_behind_one_whose_flush_failed_in_a_killed_program_survives_a_flat_battery(
    phone: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "journal_mode", lambda _version: "WAL")
    path = phone.folder / "field.db"
    first = Store(path)
    phone.judge = fail_syncs
    with pytest.raises(StorageFullError), first.write() as saving:
        saving.keep("name", "refused")
    phone.judge = let_go
    phone.restart(None)
    first.close()
    second = Store(path)
    with second.write() as saving:
        saving.keep("other", "saved")
    moment = phone.tree.copy()
    second.close()
    for dice in DICE:
        phone.restart_from(moment, dice)
        third = Store(path)
        with third.read() as reading:
            found = reading.value("other")
        third.close()
        assert found == "saved"
