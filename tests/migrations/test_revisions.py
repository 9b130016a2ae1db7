"""The revisions make exactly the tables of the models, once, and lose nothing on the way."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from server import migration
from server.db import database_url, engine_options, prepare
from server.tables import metadata

ADDED = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{newest}"


def upgrade() -> None:
    rebuild = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("region", recreate=rebuild) as region:
        region.add_column(sa.Column("note", sa.Text()))
    {more}
"""


def _open(url: str) -> Engine:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    admin = request.getfixturevalue("postgres_url")
    name = f"empty_{tmp_path.name}".lower()[:60].replace("-", "_")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield database_url(make_url(admin).set(database=name).render_as_string(hide_password=False))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    engine = _open(empty_url)
    yield engine
    engine.dispose()


def test_the_revisions_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    assert not migration.is_current(engine)
    migration.upgrade(engine)
    assert migration.is_current(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    migration.upgrade(engine)
    before = set(inspect(engine).get_table_names())
    migration.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == before


def test_processes_that_start_at_once_upgrade_once(empty_url: str) -> None:
    engines = [_open(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migration.upgrade, engines))
    assert migration.is_current(engines[0])
    for engine in engines:
        engine.dispose()


def _add_revision(monkeypatch: pytest.MonkeyPatch, folder: Path, more: str = "") -> None:
    """A copy of the revisions with one more, which rebuilds the table of regions."""
    shutil.copytree(migration.IN_REPOSITORY, folder)
    revision = ADDED.format(newest=migration.newest(), more=more)
    (folder / "versions" / "9999_rebuild_region.py").write_text(revision)
    monkeypatch.setattr(migration, "IN_REPOSITORY", folder)


def _plant_two_regions(engine: Engine) -> None:
    migration.upgrade(engine)
    insert = text(
        "INSERT INTO region (id, parent, path, level, name_zh, name_en) "
        "VALUES (:id, :parent, :path, 'market', '', '')"
    )
    with engine.begin() as connection:
        connection.execute(insert, {"id": "a", "parent": None, "path": "/a/"})
        connection.execute(insert, {"id": "b", "parent": "a", "path": "/a/b/"})


def _regions(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM region")).scalar_one())


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant_two_regions(engine)
    _add_revision(monkeypatch, tmp_path / "migrations")
    migration.upgrade(engine)
    assert "note" in {column["name"] for column in inspect(engine).get_columns("region")}
    assert _regions(engine) == 2


def test_a_revision_that_orphans_a_row_changes_nothing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant_two_regions(engine)
    _add_revision(
        monkeypatch, tmp_path / "migrations", "op.execute(\"DELETE FROM region WHERE id = 'a'\")"
    )
    with pytest.raises(Exception, match=r"lost their parent|violates foreign key"):
        migration.upgrade(engine)
    assert "note" not in {column["name"] for column in inspect(engine).get_columns("region")}
    assert _regions(engine) == 2


def test_foreign_keys_are_enforced_again_after_an_upgrade(engine: Engine) -> None:
    _plant_two_regions(engine)
    with (
        pytest.raises(Exception, match=r"FOREIGN KEY|foreign key"),
        engine.begin() as connection,
    ):
        connection.execute(text("DELETE FROM region WHERE id = 'a'"))
