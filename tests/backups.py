"""A copy of the store of a running server, and putting it back behind the server's back."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, LiteralString

import psycopg
from flask import Flask
from psycopg import sql
from sqlalchemy.engine import make_url

from server.app import open_store
from tests import stores


@dataclass
class Backup:
    """One copy, of either database; used within an application context."""

    app: Flask
    _copies: list[Any] = field(default_factory=list)

    def __enter__(self) -> "Backup":
        return self

    def take(self) -> None:
        """Copies the store as it is."""
        if self._is_sqlite():
            self._copies = [stores.copy_of(self.app, "backup.sqlite")]
            return
        self._copies = [f"{self._name()}_kept"]
        self._run("CREATE DATABASE {kept} TEMPLATE {store}")

    def put_back(self) -> None:
        """Puts the copy in the place of the store, and starts the server again."""
        if self._is_sqlite():
            stores.put_back(self.app, self._copies[0])
        else:
            self._run("DROP DATABASE {store} WITH (FORCE)")
            self._run("CREATE DATABASE {store} TEMPLATE {kept}")
        open_store(self.app)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._copies and not self._is_sqlite():
            self._run("DROP DATABASE IF EXISTS {kept} WITH (FORCE)")

    def _is_sqlite(self) -> bool:
        return make_url(self._url()).get_backend_name() == "sqlite"

    def _url(self) -> str:
        return stores.settings_of(self.app).database_url()

    def _name(self) -> str:
        return str(make_url(self._url()).database)

    def _run(self, statement: LiteralString) -> None:
        """Runs a statement beside the store, which nobody may use meanwhile."""
        stores.close(self.app)
        names = {"store": self._name(), "kept": self._copies[0]}
        query = sql.SQL(statement).format(**{k: sql.Identifier(v) for k, v in names.items()})
        admin = make_url(self._url()).set(drivername="postgresql", database="postgres")
        with psycopg.connect(
            admin.render_as_string(hide_password=False), autocommit=True
        ) as connection:
            connection.execute(query)
