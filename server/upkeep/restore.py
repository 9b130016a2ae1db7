"""Puts a backup in the place of a store, in a new epoch; cut short, it leaves none that answers.

A mark in the data folder stands while a restore is under way. With it there no server starts, and
the same restore can be run again.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server import migration
from server.clock import Clock
from server.db import Fault, database_url, engine_options, prepare, settle_sqlite, transaction
from server.durable import sync_path
from server.journal import lines
from server.journal.keeping import NAME as JOURNAL
from server.journal.keeping import find_head
from server.journal.lines import JournalFault
from server.media.blobs import WrongHash
from server.media.disk import DiskBlobs, hash_file
from server.media.parts import PartFiles
from server.media.sweep import give_up_lost
from server.settings import Settings
from server.sync.epochs import add_epoch
from server.upkeep.backup import BLOBS, KEYS, PICTURES
from server.upkeep.dump import SQLITE_FILE, count_on, open_copy, read_tables, sqlite_path
from server.upkeep.manifest import BackupFault, Manifest, check, listed

MARK = "RESTORING"
WORK = ("app_user", "record", "mutation")
"""Tables that hold a row as soon as anybody has used a store."""
CUT_SHORT = "A restore was cut short here. Run `fieldstamp-server backup restore` again."
IN_USE = "Somebody has the store open. Stop the server first."


def is_under_way(settings: Settings) -> bool:
    """Whether a restore began here and has not come to its end."""
    return (settings.data / MARK).exists()


@contextmanager
def restored(
    settings: Settings, clock: Clock, folder: Path, *, replace: bool
) -> Iterator[Manifest]:
    """Puts the backup in ``folder`` in place; the mark goes when the caller has finished.

    The epoch has begun by then, so that no server answers in the old one (P1). Raises
    :class:`BackupFault`, before anything is touched, for a backup that is not whole or not for
    this store, and for a store that holds work, unless it may be replaced: then it is set aside.
    """
    manifest = check(folder)
    engine = _open(settings)
    try:
        _need_fitting(engine, manifest)
        _need_room(settings, engine, replace=replace)
        _need_journal(settings, manifest, folder)
        _mark(settings)
        _put_blobs(settings, folder)
        if engine.dialect.name == "sqlite":
            _put_file(settings, engine, clock, folder)
        else:
            _put_tables(settings, engine, clock, folder, manifest)
        _put_keys(settings.data, clock, folder)
    finally:
        engine.dispose()
    yield manifest
    (settings.data / MARK).unlink()
    sync_path(settings.data)


def _open(settings: Settings) -> Engine:
    url = database_url(settings.database_url())
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


def _need_fitting(engine: Engine, manifest: Manifest) -> None:
    if manifest.database != engine.dialect.name:
        raise BackupFault(f"The backup is of a {manifest.database} store; this one is not.")
    if not migration.knows(manifest.schema):
        raise BackupFault("The backup was made by a newer program. Install that one first.")


def _need_room(settings: Settings, engine: Engine, *, replace: bool) -> None:
    if not (replace or is_under_way(settings)) and _holds_work(engine):
        raise BackupFault("The store holds work. With --replace it is set aside and kept.")
    _need_alone(engine)


def _need_journal(settings: Settings, manifest: Manifest, folder: Path) -> None:
    """The journal that lies in the data folder must go on from the backup."""
    path = settings.data / JOURNAL
    if manifest.database != "sqlite" or not path.exists():
        return
    copied = open_copy(folder / SQLITE_FILE)
    try:
        with Session(copied) as session:
            head = find_head(session)
        lines.lines_behind(path, head or lines.Head(hash=lines.NONE, place=0))
    except JournalFault as fault:
        raise BackupFault(f"{fault} With --without-journal it is set aside.") from fault
    finally:
        copied.dispose()


def set_journal(settings: Settings, clock: Clock, given: Path | None) -> None:
    """Puts ``given`` in the place of the journal, or none; the one that was there is kept."""
    path = settings.data / JOURNAL
    settings.data.mkdir(parents=True, exist_ok=True)
    if path.exists():
        _keep_aside(path, clock)
    if given is not None:
        shutil.copy(given, path)
        path.chmod(0o600)


def has_journal(settings: Settings) -> bool:
    """Whether there is a journal to take in."""
    return (settings.data / JOURNAL).exists()


def _holds_work(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite" and not sqlite_path(engine).exists():
        return False
    try:
        with engine.connect() as connection:
            present = set(inspect(connection).get_table_names())
            return any(
                connection.execute(text(f"SELECT 1 FROM {name} LIMIT 1")).first() is not None
                for name in WORK
                if name in present
            )
    except DBAPIError:  # what cannot be read may hold anything
        return True


def _need_alone(engine: Engine) -> None:
    engine.dispose()
    if engine.dialect.name == "sqlite":
        if not sqlite_path(engine).exists():
            return
        try:
            settle_sqlite(sqlite_path(engine))
        except Fault as fault:
            raise BackupFault(IN_USE) from fault
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND application_name = 'fieldstamp'"
    )
    with engine.connect() as connection:
        if connection.execute(others).scalar_one():
            raise BackupFault(IN_USE)


def _mark(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / MARK).open("w") as file:
        file.write("A restore began here and has not come to its end. Run it again.\n")
        file.flush()
        os.fsync(file.fileno())
    sync_path(settings.data)


def _put_blobs(settings: Settings, folder: Path) -> None:
    """M2: each is hashed once more on its way; what the store has already stays."""
    stores = {name: DiskBlobs(settings.data / name) for name in (BLOBS, PICTURES)}
    for sha256, path in listed(folder):
        name = Path(path).parts[0]
        if name in stores and isinstance(
            stores[name].put_if_absent(folder / path, sha256=sha256), WrongHash
        ):
            raise BackupFault(f"{path} changed while it was read.")


def _begin(session: Session, settings: Settings, clock: Clock) -> None:
    """What a store that was put back does before anything else."""
    add_epoch(session, clock, reason="restored")
    give_up_lost(session, PartFiles(settings.data / "uploads"))


def _put_file(settings: Settings, engine: Engine, clock: Clock, folder: Path) -> None:
    target = sqlite_path(engine)
    fresh = target.with_name(f"{target.name}.restoring")
    fresh.unlink(missing_ok=True)
    shutil.copy(folder / SQLITE_FILE, fresh)
    sync_path(fresh)  # P6: a sync of SQLite's that fails may not put the whole copy in doubt
    copied = open_copy(fresh)
    prepare(copied)
    migration.upgrade(copied)
    with Session(copied) as session, transaction(session):
        _begin(session, settings, clock)
    copied.dispose()
    settle_sqlite(fresh)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    _set_aside(target, clock)
    fresh.replace(target)
    sync_path(target.parent)


def _set_aside(target: Path, clock: Clock) -> None:
    """Keeps the store that was there, with what lies beside its file."""
    kept = _unused(
        f"{target.name}.{_stamp(clock)}", {path.name for path in target.parent.iterdir()}
    )
    for ending in ("", "-wal", "-shm", "-journal"):
        old = target.with_name(target.name + ending)
        if old.exists():
            old.rename(target.with_name(kept + ending))


def _stamp(clock: Clock) -> str:
    return f"replaced-{clock.now().astimezone(UTC):%Y%m%dT%H%M%S}"


def _keep_aside(path: Path, clock: Clock) -> None:
    taken = {one.name for one in path.parent.iterdir()}
    path.rename(path.with_name(_unused(f"{path.name}.{_stamp(clock)}", taken)))


def _unused(name: str, taken: Collection[str]) -> str:
    """``name``, or one like it that stands for nothing yet."""
    names = (name, *(f"{name}_{n}" for n in range(2, 1000)))
    return next(one for one in names if one not in taken)


def _put_tables(
    settings: Settings, engine: Engine, clock: Clock, folder: Path, manifest: Manifest
) -> None:
    with engine.begin() as connection:
        if inspect(connection).get_table_names():
            _set_schema_aside(connection, clock)
        migration.upgrade_within(connection, manifest.schema)
        read_tables(connection, folder)
        migration.upgrade_within(connection)
        count_on(connection)
        with Session(connection) as session:
            _begin(session, settings, clock)


def _set_schema_aside(connection: Connection, clock: Clock) -> None:
    """Keeps the tables that were there under another name."""
    schema = connection.execute(text("SELECT current_schema()")).scalar_one()
    taken = set(inspect(connection).get_schema_names())
    old = _unused(_stamp(clock).replace("-", "_").lower(), taken)
    connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{old}"'))
    connection.execute(text(f'CREATE SCHEMA "{schema}"'))


def _put_keys(data: Path, clock: Clock, folder: Path) -> None:
    """The keys that devices know; other ones that were here are kept beside them."""
    for name in KEYS:
        source, target = folder / "keys" / name, data / name
        if target.exists() and hash_file(target) == hash_file(source):
            continue
        if target.exists():
            _keep_aside(target, clock)
        shutil.copy(source, target)
        target.chmod(0o600)
        with target.open("rb") as file:
            os.fsync(file.fileno())
    sync_path(data)
