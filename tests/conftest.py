"""Fixtures for everybody: a fresh store on each database, an app, a client, a company."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session as Store

from server import migration
from server.app import create_app, open_store
from server.db import database_url, engine_options, prepare
from server.extensions import db
from server.ids import IdMaker
from server.settings import Settings
from tests.company import ORIGIN, Company, FixedClock
from tests.embedded import get_server

hypothesis_settings.register_profile(
    "same everywhere",  # the same examples in every run, however slow the machine
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("same everywhere")
LONG = (
    "tests/e2e/test_restore",
    "tests/simulation/test_simulation",
    "tests/e2e/test_demo",
    "tests/load/",
    "tests/planted/test_planted.py::test_a_planted_bug_is_found",
    "tests/e2e/test_kill",
    "tests/concurrency/",
    "tests/integration/test_traps.py",
    "tests/media/test_similarity",
)
"""What takes long begins first, so that no process is left with it alone at the end."""
QUICK = ("fsync=off", "full_page_writes=off", "max_connections=200")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lets each process of a run begin with its share of what is ``LONG``.

    Each is given a quarter of its part of the list first, in one piece.
    """
    processes = int(getattr(config, "workerinput", {}).get("workercount", 1))
    first = [item for item in items if item.nodeid.startswith(LONG)]
    others = [item for item in items if not item.nodeid.startswith(LONG)]
    size = len(items) // processes // 4
    ordered: list[pytest.Item] = []
    for number in range(processes):
        share = first[number::processes]
        ordered += share + others[: max(size - len(share), 0)]
        del others[: max(size - len(share), 0)]
    items[:] = ordered + others


def _create_schema(url: str) -> None:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    migration.upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "fieldstamp.sqlite"
    _create_schema(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this test process with the migrated database ``template_store``."""
    folder = Path(tempfile.mkdtemp(prefix="fieldstamp-pg-"))
    server = get_server(folder / "data")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        for option in QUICK:
            name, _, value = option.partition("=")
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE template_store")
    _create_schema(database_url(server.get_uri("template_store")))
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, migrated store; each test runs on both databases."""
    if request.param == "sqlite":
        path = tmp_path / "fieldstamp.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    admin = request.getfixturevalue("postgres_url")
    name = f"store_{random.getrandbits(64):x}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_store STRATEGY FILE_COPY")
    yield database_url(make_url(admin).set(database=name).render_as_string(hide_password=False))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def clock() -> FixedClock:
    """The clock of ``app``; stands still until a test moves it."""
    return FixedClock()


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    """Settings with a data folder of their own."""
    return Settings(data=tmp_path / "data", database=store_url, origins=(ORIGIN,))


@pytest.fixture
def app(settings: Settings, clock: FixedClock) -> Iterator[Flask]:
    """The application; ids are the same in every run."""
    bits = random.Random(20260302)
    app = create_app(settings, clock=clock, ids=IdMaker(clock, bits.getrandbits))
    open_store(app)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def beside(app: Flask, settings: Settings, clock: FixedClock) -> Iterator[Flask]:
    """Another application on the store and folder of ``app``, as another server process has it."""
    other = create_app(settings, clock=clock)
    other.testing = True
    other.config["PROPAGATE_EXCEPTIONS"] = False
    yield other
    with other.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Sends requests to ``app``."""
    return app.test_client()


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """An application context, for tests that call functions below HTTP."""
    with app.app_context():
        yield


@pytest.fixture
def store(app: Flask, context: None) -> Store:
    """The session of the application context; write within ``db.transaction(store)``."""
    return db.session()


@pytest.fixture
def company(app: Flask, context: None) -> Company:
    """Regions of :data:`tests.company.REGIONS` and builders of users and devices."""
    company = Company(app)
    company.plant_regions()
    return company
