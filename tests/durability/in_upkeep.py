"""A scene whose victim is the server while a backup is put in the place of its store."""

from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from server.app import create_app, open_store
from server.db import Fault, copy_sqlite
from server.extensions import db
from server.upkeep import backup
from server.upkeep.restore import is_under_way, restored
from tests.durability.ground import Lost, demand
from tests.durability.in_the_office import OfficeScene, name_person
from tests.simulation.disk import Crash

BEFORE, AFTER = "before the backup", "after the backup"


class Restoring(OfficeScene):
    """A restore over a store that holds work: the old one is kept, the new one is whole (P6)."""

    name = "restore"

    def prepare(self) -> None:
        """A backup beside the server's folder, and work that came after it."""
        self.ground.office.open()
        self._backup = Path(mkdtemp(dir=self.ground.folder))
        self.ground.company(partial(name_person, name=BEFORE))
        with self.ground.office.app.app_context():
            settings, clock = self.ground.office.settings, self.ground.office.clock
            backup.create(db.engine, settings, clock, self._backup)
        self.ground.company(partial(name_person, name=AFTER))

    def forget(self) -> None:
        """Nothing was restored."""
        self.is_told = False

    def open(self) -> None:
        """A server starts only where no restore was cut short; then a person runs it again."""
        self.ground.office.end()
        if is_under_way(self.ground.office.settings):
            self._restore()
        self.ground.office.open()

    def act(self) -> None:
        """Puts the backup in place, as the command does."""
        self.ground.office.end()
        self._restore()
        if self.victim.is_down:
            raise Crash("server")
        self.is_told = True

    def check(self) -> None:
        """P6: what came after the backup is in the journal or the store that was set aside."""
        self.open()
        self.ground.office.demand_sound()
        epochs = len(self.ground.office.rows("SELECT name FROM epoch"))
        demand(epochs > 1 or not self.is_told, "the restore that was told is undone")
        names = {name for (name,) in self.ground.office.rows("SELECT username FROM app_user")}
        demand({BEFORE, AFTER} <= names, f"of two people only {names} are there")
        self.ground.office.close()
        beside = ("-journal", "-wal")
        found = self.ground.office.folder.glob("fieldstamp.sqlite.replaced-*")
        aside = [path for path in found if not path.name.endswith(beside)]
        demand(aside or not self.is_told, "the store that was there is gone")
        for path in aside:
            self._demand_whole(path)

    def is_plain(self, error: Exception) -> bool:
        """The command says what it met, and the mark says that it must be run again."""
        return not isinstance(error, Lost)

    def close(self) -> None:
        """The processes end."""
        self.ground.office.end()

    def _restore(self) -> None:
        settings, clock = self.ground.office.settings, self.ground.office.clock
        with restored(settings, clock, self._backup, replace=True):
            app = create_app(settings, clock=clock, restoring=True)
            try:
                open_store(app)
            finally:
                with app.app_context():
                    db.session.remove()
                    db.engine.dispose()

    def _demand_whole(self, path: Path) -> None:
        copy = self.ground.folder / "looked-at.sqlite"
        try:
            copy_sqlite(path, copy)
        except Fault as fault:
            raise Lost("the store that was set aside is damaged") from fault
        finally:
            copy.unlink(missing_ok=True)
