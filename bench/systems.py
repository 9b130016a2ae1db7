"""Every system that is measured, by name, and how a fresh one is started."""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import fieldstamp, plain, pouch
from bench.stores import PostgreSQL
from bench.system import System

Start = Callable[[Path], AbstractContextManager[System]]

OURS, OURS_PG = "fieldstamp", "fieldstamp_pg"
SLOW = {"naive": 0.4, "naive_pg": 0.4, "pouch": 0.5}
"""Systems that get a part of the records, as their rates are steady and would take minutes."""


@dataclass(slots=True)
class Field:
    """The systems at hand, and why others are not."""

    starts: dict[str, Start] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def start(self, name: str) -> Iterator[System]:
        """One of them on a fresh, empty store, which is removed afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="fieldstamp-bench-"))
        try:
            with self.starts[name](folder) as system:
                yield system
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _file(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.sqlite'}"


def _baselines(field: Field, database: PostgreSQL) -> None:
    for name, target in (("bare", plain.BARE), ("flask", plain.FLASK), ("naive", plain.NAIVE)):

        def on_file(folder: Path, target: str = target) -> AbstractContextManager[System]:
            return plain.serve(folder, _file(folder), target=target, database=())

        def on_server(folder: Path, target: str = target) -> AbstractContextManager[System]:
            url = database.create_database()
            return plain.serve(folder, url, target=target, database=(database.pid,))

        field.starts[name] = on_file
        field.starts[f"{name}_pg"] = on_server


def find_systems(
    database: PostgreSQL, npm_folder: Path, wanted: Collection[str], *, threads: int
) -> Field:
    """All systems that can run here; what must be installed first, only where it is ``wanted``.

    ``threads``: of each process of ours.
    """
    found, ours = Field(), {"threads": str(threads)}
    found.starts[OURS] = lambda folder: fieldstamp.serve(folder, _file(folder), database=(), **ours)
    found.starts[OURS_PG] = lambda folder: fieldstamp.serve(
        folder, database.create_database(), database=(database.pid,), **ours
    )
    _baselines(found, database)
    if not wanted or "pouch" in wanted:
        _add_pouch(found, npm_folder)
    return found


def _add_pouch(field: Field, npm_folder: Path) -> None:
    try:
        program = pouch.install(npm_folder)
        field.starts["pouch"] = lambda folder: pouch.serve(folder, program)
    except pouch.Missing as missing:
        field.absent["pouch"] = str(missing)
