"""The simulated server: one real application on one real store, started, crashed, put back."""

import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fieldstamp import Request, Response
from fieldstamp.testing import WsgiTransport
from server import migration
from server.app import create_app, open_store
from server.db import engine_options, prepare, sqlite, transaction
from server.extensions import db
from server.ids import IdMaker
from server.outward.delivering import deliver
from server.outward.following import follow
from server.outward.hooks import add_hook, list_hooks, replay
from server.people import rights
from server.people.principal import Principal
from server.services import Services
from server.settings import Settings, secret_keys, server_key
from server.work.rounds import STEPS
from tests.company import ORIGIN, Company, FixedClock
from tests.simulation.kinds import STALL
from tests.simulation.net import Unanswered
from tests.simulation.receiver import PLACE, URL, OneLane, Receiver
from tests.simulation.seen import Seen

KEYS = ("secret.key", "server.key")


def make_template(folder: Path) -> Path:
    """An empty, migrated store with its keys, to be copied for every seed."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(data=folder)
    url = settings.database_url()
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    migration.upgrade(engine)
    engine.dispose()
    secret_keys(settings)
    server_key(settings)
    return folder


@dataclass
class Site:
    """The server of one run and its folder."""

    folder: Path
    chance: random.Random
    """Its randomness: ids, tokens."""
    seen: Seen
    receiver: Receiver
    clock: FixedClock = field(default_factory=FixedClock)
    log: list[str] = field(default_factory=list)
    _app: Flask | None = None
    _reader: Any = None
    _stand: Any = None
    """The version of the store that is read; its own writes it does not have."""
    _read: dict[Any, list[Any]] = field(default_factory=dict)
    _persons: dict[str, Principal] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Settings with the data folder of this run."""
        return Settings(data=self.folder, origins=(ORIGIN,), log_level="INFO", hook_allow=(PLACE,))

    @property
    def app(self) -> Flask:
        """The application as it runs now."""
        if self._app is None:
            raise Unanswered
        return self._app

    @property
    def services(self) -> Services:
        """Its services."""
        found: Services = self.app.extensions["fieldstamp"]
        return found

    def boot(self, *, restoring: bool = False) -> None:
        """Starts the process on whatever the folder holds."""
        ids = IdMaker(self.clock, self.chance.getrandbits)
        app = self._app = create_app(
            self.settings, clock=self.clock, ids=ids, kinds=(STALL,), restoring=restoring
        )
        structlog.configure(
            logger_factory=lambda *_names: structlog.PrintLogger(cast("TextIO", _Lines(self.log)))
        )
        services: Services = app.extensions["fieldstamp"]
        lane, network = OneLane(self.receiver), self.receiver.network
        outward = replace(services.outward, network=network, pool=lane)
        app.extensions["fieldstamp"] = replace(services, outward=outward)
        open_store(app)
        with app.app_context():
            db.session.remove()
        app.testing = True
        app.config["PROPAGATE_EXCEPTIONS"] = False

    def drop(self) -> None:
        """Lets go of all objects of the process, which may have no disk any more."""
        app, self._app = self._app, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if app is None:
            return
        with app.app_context(), suppress(DBAPIError):
            db.session.remove()
            db.engine.dispose()

    def answer(self, device: int, request: Request, cut: int | None) -> Response:
        """The whole answer of the application; of the body only ``cut`` bytes come through."""

        def shortened(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            environ["REMOTE_ADDR"] = f"10.0.0.{device}"
            if cut is not None:
                environ["wsgi.input"] = io.BytesIO(request.body[:cut])
            return self.app(environ, start)

        return WsgiTransport(shortened).send(request)

    @contextmanager
    def at_work(self) -> Iterator[Session]:
        """An application context with its session, for what the office and the worker do."""
        with self.app.app_context():
            yield db.session()

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What stands in the store, read beside the application."""
        self._look_for_news()
        asked = (statement, *values)
        if asked not in self._read:
            self._read[asked] = self._reader.execute(statement, values).fetchall()
        return list(self._read[asked])

    def person(self, user: str) -> Principal:
        """Who ``user`` is, with the rights of now."""
        self._look_for_news()
        if user not in self._persons:
            with self.at_work() as session:
                self._persons[user] = rights.load_principal(session, user, device=None)
        return self._persons[user]

    def _look_for_news(self) -> None:
        """Forgets what was read where anybody has committed anything since."""
        if self._reader is None:
            path = self.folder / "fieldstamp.sqlite"
            self._reader, self._stand = sqlite.connect(path, isolation_level=None), None
        stand = self._reader.execute("PRAGMA data_version").fetchone()
        if self._stand != stand:
            self._stand, self._read, self._persons = stand, {}, {}

    def company(self, regions: dict[str, str]) -> Company:
        """Builders of users and devices; used within :meth:`at_work`."""
        return Company(self.app, regions)

    def work(self, number: int) -> int:
        """One step of the worker, as a round makes it."""
        with self.at_work() as session:
            return STEPS[number % len(STEPS)](session, self.services)

    def add_hook(self) -> None:
        """The receiver hears of everything from now on."""
        with self.at_work() as session, transaction(session):
            add_hook(session, self.services.outward, URL)

    def tell(self) -> None:
        """The worker takes down what happened, and brings it on its way."""
        with self.at_work() as session:
            follow(session, self.services.outward)
            deliver(session, self.services.outward)

    def replay_events(self) -> None:
        """Somebody asks for all of it once more."""
        with self.at_work() as session, transaction(session):
            for hook in list_hooks(session):
                replay(session, self.services.outward, hook.id, after=0)

    def work_all(self) -> None:
        """Rounds of the worker until nothing is left to do."""
        with self.app.app_context():
            while sum(step(db.session(), self.services) for step in STEPS):
                continue


class _Lines(io.TextIOBase):
    """A file that keeps what is logged."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text)
        return len(text)
