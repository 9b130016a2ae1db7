"""Scenes whose victim is the server: first start, pushes, an upload, decisions in the journal."""

import hashlib
from functools import partial
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from fieldstamp._wire import sha256_hex
from server.extensions import db
from server.journal import lines
from server.journal.keeping import find_head
from server.media.engine import Media
from server.media.sweep import clear_parts, finish_stored
from server.people.tables import Region, User
from tests.company import Company
from tests.durability.ground import Lost, demand, tiny_jpeg
from tests.durability.scenes import Scene
from tests.phone import Phone
from tests.simulation.disk import Crash, Machine
from tests.uploads import Carrier

COME_LATER = {"unavailable", "disk_full"}
WITHOUT_WORDS = {404: "not_found", 410: "upload_gone", 503: "unavailable", 507: "disk_full"}


class Refused(Exception):
    """An answer that is no success; carries the code of its problem."""


class NotStarted(Exception):
    """A server that cannot start says why on its terminal."""


class OfficeScene(Scene):
    """The victim is the server."""

    @property
    def victim(self) -> Machine:
        """The server."""
        return self.ground.server

    def open(self) -> None:
        """The server starts."""
        self.ground.office.open()

    def is_plain(self, error: Exception) -> bool:
        """A problem that says: come later; what was sent is kept by its sender."""
        refused = isinstance(error, Refused) and str(error) in COME_LATER
        return refused or isinstance(error, NotStarted)

    def answered(self, answer: Any, *good: int) -> Any:
        """``answer``, which reached its asker. Raises :class:`Crash` and :class:`Refused`."""
        if self.victim.is_down:
            raise Crash("server")
        if answer.status_code not in good:
            told = answer.get_json(silent=True)  # the answer to HEAD has no body
            raise Refused(told["code"] if told else WITHOUT_WORDS.get(answer.status_code))
        return answer


class Pushing(OfficeScene):
    """Two pushes: new records, edits, one that is refused, one that waits (P2, P3, I2)."""

    name = "push"

    def prepare(self) -> None:
        """Seals what will be sent."""
        self.ground.office.open()
        phone = Phone(self.ground.office.app.test_client(), self.ground.handle)
        made = [phone.seal({"id": _id(n), **body}) for n, body in enumerate(_mutations(), start=1)]
        self.batches = [made[:6], made[6:]]

    def forget(self) -> None:
        """Nothing was answered."""
        self.told: dict[str, dict[str, Any]] = {}

    def act(self) -> None:
        """Sends what has no answer yet; the server is stopped and started between the batches."""
        for batch in self.batches:
            self._start_again()
            if not all(mutation["id"] in self.told for mutation in batch):
                for result in self._push(batch):
                    self.told[result["id"]] = result

    def check(self) -> None:
        """P2, P3: what was answered is held, and the same answer is given again."""
        self.ground.office.demand_sound()
        held = {key for (key,) in self.ground.office.rows("SELECT id FROM mutation")}
        demand(self.told.keys() <= held, "something that was answered is forgotten")
        for batch in self.batches:
            sent = [mutation for mutation in batch if mutation["id"] in self.told]
            for result in self._push(sent) if sent else []:
                before = self.told[result["id"]]
                same = ("outcome", "version", "ack")
                demand(
                    all(before.get(name) == result.get(name) for name in same),
                    f"{result['id']} was {before['outcome']} and is {result.get('outcome')}",
                )
        once = "SELECT count(*) FROM record_version GROUP BY mutation HAVING count(*) > 1"
        demand(not self.ground.office.rows(once), "one mutation made two versions")

    def _start_again(self) -> None:
        self.ground.office.close()
        try:
            self.ground.office.open()
        except (OSError, DBAPIError) as error:
            raise NotStarted(str(error)) from error

    def _push(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        phone = Phone(self.ground.office.app.test_client(), self.ground.handle)
        answer = self.answered(phone.send(*batch), 200)
        results: list[dict[str, Any]] = answer.get_json()["results"]
        if any("retry" in result for result in results):
            raise Refused("unavailable")
        return results


def _id(number: int) -> str:
    return f"01930000-0000-7000-8000-{number:012x}"


def _mutations() -> list[dict[str, Any]]:
    shops = [
        _create("customer", 100 + n, {"name": f"店{n}", "customer_type": "store"}) for n in range(3)
    ]
    visits = [
        _create("visit", 200 + n, {"customer": _id(100 + n), "purpose": "routine"})
        for n in range(3)
    ]
    edits = [
        {
            "action": "patch",
            "kind": "visit",
            "record": _id(200 + n),
            "base": 1,
            "set": {"needs": "2"},
        }
        for n in range(2)
    ]
    refused = _create("visit", 300, {"customer": _id(100), "purpose": "no such purpose"})
    waits = _create("visit", 301, {"customer": _id(999), "purpose": "routine"})
    return [*shops, *visits, *edits, refused, waits]


def _create(kind: str, record: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"action": "create", "kind": kind, "record": _id(record), "base": 0, "set": values}


class Uploading(OfficeScene):
    """A photo comes in three pieces (M1, M2, M4, I6, I7)."""

    name = "upload"
    content = tiny_jpeg(2) + hashlib.shake_256(b"photo").digest(9000)
    piece = 3500

    def prepare(self) -> None:
        """Declares the photo."""
        self.ground.office.open()
        self.photo = self._carrier().declare(self.content)

    def forget(self) -> None:
        """Nothing was answered."""
        self.url: str | None = None
        self.offset = 0
        self.is_acknowledged = False

    def open(self) -> None:
        """The server starts, and its worker picks up what was left."""
        super().open()
        self._sweep()

    def act(self) -> None:
        """Goes on from where the server says that it stands."""
        carrier = self._carrier()
        if self.url is None:
            answer = carrier.create(self.photo, len(self.content), upload="key-1")
            self.url = str(self.answered(answer, 201).headers["Location"])
        offset = self._ask(carrier)
        while offset < len(self.content):
            piece = self.content[offset : offset + self.piece]
            answer = self.answered(carrier.patch(self.url, offset, piece), 204)
            offset = self.offset = int(answer.headers["Upload-Offset"])
        self._sweep()
        answer = carrier.client.post(
            "/v1/media/have",
            json={"sha256": [sha256_hex(self.content)]},
            headers=carrier.device.headers,
        )
        found = self.answered(answer, 200).get_json()["acknowledgements"]
        if not found:
            raise Refused("unavailable")
        self.is_acknowledged = True

    def check(self) -> None:
        """M1: what an offset counts is there. M4: what is verified is whole."""
        self.ground.office.demand_sound()
        if self.url is not None:
            offset = self._ask(self._carrier())
            demand(offset >= self.offset, f"the offset fell from {self.offset} to {offset}")
        self._demand_parts()
        blobs = self.ground.office.demand_blobs()
        demand(blobs or not self.is_acknowledged, "an acknowledged photo is unknown")

    def _demand_parts(self) -> None:
        """M1, I7: of an upload that is under way the bytes up to its offset are there."""
        open_ones = "SELECT id, received FROM upload WHERE state IN ('open', 'stored')"
        for upload, received in self.ground.office.rows(open_ones):
            part = self._media.parts.path(upload)
            there = part.read_bytes()[:received] if received else b""
            demand(there == self.content[:received], f"bytes before {received} are lost")

    @property
    def _media(self) -> Media:
        media: Media = self.ground.office.app.extensions["fieldstamp"].media
        return media

    def _carrier(self) -> Carrier:
        app = self.ground.office.app
        return Carrier(app.test_client(), self.ground.handle, app.extensions["fieldstamp"].ids.new)

    def _ask(self, carrier: Carrier) -> int:
        answer = carrier.head(str(self.url))
        if answer.status_code == 404:
            raise Lost("an upload that was answered is unknown")
        return int(self.answered(answer, 200).headers["Upload-Offset"])

    def _sweep(self) -> None:
        app = self.ground.office.app
        with app.app_context():
            finish_stored(db.session(), self._media)
            clear_parts(db.session(), self._media)
            db.session.remove()


class Deciding(OfficeScene):
    """People are named in the office: what no device holds is on the disk twice (P3, P6)."""

    name = "journal"
    people = ("anna", "bo", "chen")

    def prepare(self) -> None:
        """Notes where the journal stands."""
        self.ground.office.open()
        self.head = self.ground.company(lambda company: find_head(company.store))

    def forget(self) -> None:
        """Nobody was named."""
        self.named: set[str] = set()

    def act(self) -> None:
        """Names whoever is not named yet."""
        for name in self.people:
            if name not in self._known():
                self.ground.company(partial(name_person, name=name))
            if self.victim.is_down:
                raise Crash("server")
            self.named.add(name)

    def check(self) -> None:
        """P3: they are in the store, and in the journal for a store that is put back."""
        self.ground.office.demand_sound()
        demand(self.named <= self._known(), "somebody who was named is not in the store")
        path = self.ground.office.folder / "journal.jsonl"
        assert self.head is not None
        behind = lines.lines_behind(path, self.head)
        told = {c.row.get("username") for _head, line in behind for c in line.changes}
        demand(self.named <= told, "somebody who was named is not in the journal")

    def is_plain(self, error: Exception) -> bool:
        """The office has no answer to render here: any error of the store is one."""
        return True

    def _known(self) -> set[str]:
        return {name for (name,) in self.ground.office.rows("SELECT username FROM app_user")}


def name_person(company: Company, *, name: str) -> None:
    """Names somebody; no device holds that."""
    company.user(username=name)


class Starting(OfficeScene):
    """A server starts for the first time and enrols a phone (P3)."""

    name = "start"

    def prepare(self) -> None:
        """There is a folder, and nothing in it."""
        self.ground.clear_office()

    def begin(self) -> None:
        """No process remembers a store of before."""
        self.ground.office.end()
        super().begin()

    def forget(self) -> None:
        """No phone knows this server."""
        self.key = b""
        self.devices: set[str] = set()

    def open(self) -> None:
        """A server that was there before starts; the first start is the act."""
        if self.key:
            super().open()

    def act(self) -> None:
        """Starts the server, and gives its key to a device."""
        super().open()
        device = self.ground.company(_enrol)
        if self.victim.is_down:
            raise Crash("server")
        self.devices.add(device)
        self.key = self._key()

    def check(self) -> None:
        """The phone is known, and what it is told is signed by the key that it knows."""
        super().open()
        self.ground.office.demand_sound()
        known = {device for (device,) in self.ground.office.rows("SELECT id FROM device")}
        demand(self.devices <= known, "a phone that was enrolled is unknown")
        demand(not self.key or self.key == self._key(), "the server signs with another key")

    def is_plain(self, error: Exception) -> bool:
        """A start that fails says so on the terminal."""
        return True

    def close(self) -> None:
        """The process ends; the next one reads its keys anew."""
        self.ground.office.end()

    def _key(self) -> bytes:
        services = self.ground.office.app.extensions["fieldstamp"]
        key: bytes = services.key.public_key().public_bytes_raw()
        return key


def _enrol(company: Company) -> str:
    """A device of a new person; what an earlier attempt left is no hindrance."""
    people = company.store.scalar(select(func.count()).select_from(User))
    if not company.store.scalar(select(func.count()).select_from(Region)):
        company.plant_regions()
    return company.device(company.user(region=None, username=f"rep {people}")).id
