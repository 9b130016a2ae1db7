"""The queue of wake-ups: huey, in a file of its own or in the PostgreSQL of the store.

A lost wake-up loses nothing, since a sweep looks at the tables. No rule and no state is here.
"""

from collections.abc import Callable
from typing import Any

import orjson
import structlog
from huey import Huey
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import PostgresStorage, SqliteStorage
from sqlalchemy.engine import make_url

from server.db import database_url, sqlite
from server.settings import Settings

NAME = "fieldstamp"
BUSY_SECONDS = 10

log = structlog.get_logger()


class JsonSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON: data, never code, even where somebody else writes into the queue."""

    def _serialize(self, data: Any) -> bytes:
        members = data._asdict() if isinstance(data, Message) else data
        return orjson.dumps(members, option=orjson.OPT_PASSTHROUGH_DATETIME)

    def _deserialize(self, data: bytes) -> Any:
        members = orjson.loads(bytes(data))
        return Message(**members) if isinstance(members, dict) else members


class FileStorage(SqliteStorage):  # type: ignore[misc]
    """The library's SQLite storage on the one SQLite library of this process."""

    integrity_error = sqlite.IntegrityError
    operational_error = sqlite.OperationalError

    def _create_connection(self) -> Any:
        connection = sqlite.connect(
            self.filename, timeout=self._timeout, check_same_thread=False, isolation_level=None
        )
        # The rollback journal is safe in every SQLite; a queue of wake-ups needs no more speed.
        connection.execute("PRAGMA journal_mode=DELETE")
        return connection


def open_queue(settings: Settings) -> Huey:
    """The queue that belongs to the store of ``settings``."""
    url = make_url(database_url(settings.database_url()))
    common = {"results": False, "serializer": JsonSerializer()}
    if url.get_backend_name() == "sqlite":
        settings.data.mkdir(parents=True, exist_ok=True)
        filename = str(settings.data / "work.sqlite")
        return Huey(
            NAME, storage_class=FileStorage, filename=filename, timeout=BUSY_SECONDS, **common
        )
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Huey(NAME, storage_class=PostgresStorage, dsn=dsn, **common)


def register(queue: Huey, work: Callable[[], object]) -> Any:
    """Makes ``work`` the answer to the hint that there is some, and to the sweep without a hint.

    Returns the task that gives the hint.
    """

    @queue.periodic_task(lambda _moment: True, name="sweep")  # type: ignore[untyped-decorator]
    def sweep() -> None:
        work()

    @queue.task(name="look")  # type: ignore[untyped-decorator]
    def look() -> None:
        work()

    return look


def send_wake_up(settings: Settings) -> None:
    """Tells a worker, wherever it runs, that there is work. Failing costs only time."""
    try:
        queue = open_queue(settings)
        register(queue, lambda: None)()
        queue.storage.close()
    except Exception:
        log.warning("wake_up_lost", exc_info=True)
