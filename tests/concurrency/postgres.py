"""A PostgreSQL server of its own for one run, with fsync as in production."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from server import migration
from server.clock import SystemClock
from server.db import database_url, engine_options, prepare
from server.sync import epochs
from tests.embedded import get_server

OPTIONS = """
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
"""


@contextmanager
def running_postgres() -> Iterator[str]:
    """The SQLAlchemy URL of a migrated, empty store; the server ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="fieldstamp-pg-"))
    server = get_server(folder / "data", start=False)
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
