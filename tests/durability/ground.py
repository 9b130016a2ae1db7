"""A server and a phone in folders of their own, with one beginning to which they are put back.

Everything that runs here is the real code of server and client on the disks of
``tests.simulation.disk``. What is done, and what must be found afterwards, is in the scenes.
"""

import hashlib
import io
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from PIL import Image
from sqlalchemy import text

from fieldstamp import Client, OfflineError, Request, Response
from fieldstamp.testing import FixedClock as PhoneClock
from fieldstamp.testing import SeededEntropy, WsgiTransport
from server.app import create_app, open_store
from server.extensions import db
from server.ids import IdMaker
from server.settings import Settings
from server.sync import epochs
from server.upkeep.replay import open_journal
from tests.company import ORIGIN, Company, DeviceHandle, FixedClock
from tests.phones import issue_code
from tests.simulation.disk import Crash, Disk, Machine, let_go
from tests.simulation.disk_tree import Tree

T = TypeVar("T")
MEMORY = Path("/dev/shm")


class Lost(AssertionError):
    """Something that was acknowledged is not there, or is not whole."""


def demand(found: object, said: str) -> None:
    """Raises :class:`Lost` unless ``found`` holds."""
    if not found:
        raise Lost(said)


@cache
def tiny_jpeg(number: int) -> bytes:
    """A small photo; another one for each number."""
    out = io.BytesIO()
    shade = (number * 53 % 256, number * 97 % 256, number * 193 % 256)
    Image.new("RGB", (24, 24), shade).save(out, "JPEG")
    return out.getvalue() + number.to_bytes(4, "big")


class Office:
    """The server: one application over a folder, whose store is closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FixedClock()
        self._app: Flask | None = None
        self._is_new = True
        self._starts = 0

    @property
    def app(self) -> Flask:
        """The application of this process."""
        if self._app is None:
            self._starts += 1
            bits = random.Random(self._starts)
            ids = IdMaker(self.clock, bits.getrandbits)
            self._app = create_app(self.settings, clock=self.clock, ids=ids)
        return self._app

    @property
    def settings(self) -> Settings:
        """The settings of the installation."""
        return Settings(data=self.folder, origins=(ORIGIN,), log_level="CRITICAL")

    def open(self) -> None:
        """What happens before a server answers; the schema is looked at once in a process."""
        if self._is_new:
            open_store(self.app)
            self._is_new = False
            return
        with self.app.app_context():
            services = self.app.extensions["fieldstamp"]
            epochs.open_store(db.session(), services.clock)
            open_journal(db.session(), services.sync)
            db.session.remove()

    def close(self) -> None:
        """Lets go of the store, whatever state its disk is in."""
        if self._app is not None:
            with self._app.app_context():
                db.session.remove()
                db.engine.dispose()

    def end(self) -> None:
        """The end of the process: the next one reads settings and keys anew."""
        self.close()
        self._app, self._is_new = None, True

    def rows(self, statement: str, **values: object) -> list[Any]:
        """What the store answers."""
        with self.app.app_context():
            found = list(db.session().execute(text(statement), values))
            db.session.remove()
            return found

    def demand_sound(self) -> None:
        """I19: the file is what SQLite calls whole."""
        demand(self.rows("PRAGMA integrity_check") == [("ok",)], "the server's store is damaged")
        demand(self.rows("PRAGMA foreign_key_check") == [], "rows of the server hang in the air")

    def demand_blobs(self) -> int:
        """M4, I6: the bytes that the store knows are whole; returns how many those are."""
        originals = self.app.extensions["fieldstamp"].media.originals
        names = [sha256 for (sha256,) in self.rows("SELECT sha256 FROM blob")]
        for name in names:
            demand(originals.head(name), f"the blob {name} is gone")
            with originals.open_range(name) as file:
                found = hashlib.sha256(file.read()).hexdigest()
            demand(found == name, f"the blob {name} is not whole")
        return len(names)


@dataclass
class Carriage:
    """Requests of a phone to the office; whoever's power is gone answers nothing."""

    office: Office
    machines: tuple[Machine, Machine]

    def send(self, request: Request) -> Response:
        """The whole answer. Raises :class:`Crash` for the phone, OfflineError for the office."""
        here, there = self.machines
        if here.is_down:
            raise Crash(here.name)
        answer = None
        if not there.is_down:
            with suppress(Crash):
                answer = WsgiTransport(self.office.app).send(request)
        if answer is None or there.is_down:
            raise OfflineError("no answer")
        return answer


@dataclass(frozen=True)
class Moment:
    """What is on both disks."""

    server: Tree
    phone: Tree


class Ground:
    """Server and phone, enrolled and in step, and nothing else."""

    handle: DeviceHandle
    """A device that speaks for itself, for scenes without the client library."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        for name in ("server", "phone"):
            (folder / name).mkdir()
        self.office = Office(folder / "server")
        self.server = disk.server(folder / "server")
        self.phone = disk.device(folder / "phone", "phone")
        self.phone_clock = PhoneClock()
        self._file = folder / "phone" / "phone.db"
        self._opened: list[Client] = []
        self._regions: dict[str, str] = {}
        self._furnish()
        self._beginning = self.moment()

    def moment(self) -> Moment:
        """Everything as it is now, which is taken to be on the disks. Nobody has a file open."""
        self.server.settle()
        self.phone.settle()
        return Moment(self.server.tree.copy(), self.phone.tree.copy())

    def reset(self, moment: Moment | None = None) -> None:
        """Puts both back to ``moment`` or the beginning; nothing goes wrong from here on."""
        self.close()
        chosen = moment or self._beginning
        for machine, tree in ((self.server, chosen.server), (self.phone, chosen.phone)):
            machine.judge = let_go
            machine.restart_from(tree, random.Random(0))
        self._opened.clear()

    def open_phone(self) -> Client:
        """The phone's store, opened by a new process."""
        client = Client(
            self._file,
            server=ORIGIN,
            transport=Carriage(self.office, (self.phone, self.server)),
            clock=self.phone_clock,
            entropy=SeededEntropy(1000 + len(self._opened)),
        )
        self._opened.append(client)
        return client

    def company(self, work: Callable[[Company], T]) -> T:
        """Does ``work`` in the office."""
        with self.office.app.app_context():
            try:
                return work(Company(self.office.app, dict(self._regions)))
            finally:
                db.session.remove()

    def clear_office(self) -> None:
        """Leaves the server's folder empty."""
        self.office.end()
        self.server.restart_from(Tree.of(str(self.server.folder)), random.Random(0))

    def close(self) -> None:
        """Every process ends; what it held is let go."""
        for client in self._opened:
            client.close()
        self.office.close()

    def _furnish(self) -> None:
        self.office.open()

        def found(company: Company) -> tuple[dict[str, str], DeviceHandle, str]:
            company.plant_regions()
            return company.regions, company.rep(), issue_code(company, company.user())

        self._regions, self.handle, code = self.company(found)
        client = self.open_phone()
        client.enrol(code)
        demand(client.sync().run().synced, "the phone cannot sync at all")
        self.close()


def new_folder() -> Path:
    """A folder of this process's own, in memory where there is such a place."""
    where = MEMORY if MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="fieldstamp-durability-", dir=where))


def remove_folder(folder: Path) -> None:
    """Gives the room back."""
    shutil.rmtree(folder, ignore_errors=True)
