"""A commit whose sync fails, and a process that is killed then: what the next one commits lasts."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from server.db import engine_options, has_wal_race, prepare, sqlite, transaction
from tests.durability.ground import new_folder, remove_folder
from tests.simulation.disk import Call, Disk, Machine, NoLibraryError, Verdict, let_go

DICE = [Random(seed) for seed in range(24)]


@pytest.fixture
def server() -> Iterator[Machine]:
    """A server on whose disk nothing is yet."""
    folder = new_folder()
    try:
        with Disk() as disk:
            yield disk.server(folder)
    except NoLibraryError as error:
        pytest.skip(f"nothing can be put beneath this SQLite: {error}")
    finally:
        remove_folder(folder)


def fail_syncs(call: Call) -> Verdict:
    """The disk is full, and says so at the last moment."""
    return Verdict.FULL if call.point == "server.wal.sync" else Verdict.GO


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
