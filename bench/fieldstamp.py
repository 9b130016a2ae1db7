"""Fieldstamp itself: real devices that enrol, seal what they push, and pull with their cursor."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import wire
from bench.cards import Card, new_id
from bench.crew import CLIENTS
from bench.kind import CALL
from bench.processes import free_port, running
from bench.system import Change, Page, Told, What
from server.app import create_app, open_store
from server.db import transaction
from server.extensions import db
from server.people import devices, regions, users
from server.people.keys import to_base64url
from server.people.principal import Role
from server.people.users import NewUser
from server.proof.encoding import canonical
from server.proof.seal import FIRST, digest_of
from server.settings import Settings

ORIGIN = f"http://{wire.HOST}"
WHAT: dict[str, What] = {"applied": "taken", "merged": "taken", "conflict": "lost"}


@dataclass(slots=True)
class Device:
    """An enrolled device with the chain of its mutations."""

    id: str
    user: str
    token: str
    key: Ed25519PrivateKey
    n: int = 0
    prev: str = FIRST

    @property
    def headers(self) -> dict[str, str]:
        """What its requests carry."""
        return {"Authorization": f"Bearer {self.token}"}

    def seal(self, action: str, card: Card, **given: Any) -> dict[str, Any]:
        """A sealed mutation of a record."""
        self.n += 1
        mutation = {
            "id": new_id(),
            "device": self.id,
            "user": self.user,
            "n": self.n,
            "schema": 1,
            "app": "1.0.0",
            "action": action,
            "kind": CALL.name,
            "record": card.id,
            "captured": {"wall": "2026-03-02T10:02:11+08:00", "monotonic_ms": self.n, "boot": "b"},
            **given,
        }
        digest = digest_of(self.prev, hashlib.sha256(canonical(mutation)).hexdigest())
        sig = to_base64url(self.key.sign(bytes.fromhex(digest)))
        sealed = {**mutation, "seal": {"prev": self.prev, "sig": sig}}
        self.prev = digest
        return sealed


@dataclass(slots=True)
class Running:
    """A running server with two devices of each of eight reps and one of their manager."""

    port: int
    pids: tuple[int, ...]
    first: list[Device] = field(default_factory=list)
    second: list[Device] = field(default_factory=list)
    manager: list[Device] = field(default_factory=list)

    def create(self, client: int, cards: Sequence[Card]) -> bytes:
        """A push of creates."""
        device = self.first[client]
        made = [device.seal("create", card, base=0, set=card.values) for card in cards]
        return self._push(device, made)

    def patch(self, client: int, changes: Sequence[Change]) -> bytes:
        """A push of patches that name the changed fields."""
        return self._patch(self.first[client], changes)

    def overtake(self, client: int, changes: Sequence[Change]) -> bytes:
        """The same from the rep's other device."""
        return self._patch(self.second[client], changes)

    def read_push(self, body: bytes) -> list[Told]:
        """The outcomes."""
        return [_read(result) for result in orjson.loads(body)["results"]]

    def pull(self, client: int | None, cursor: Any) -> bytes:
        """A pull of a rep's device, or of the manager's."""
        device = self.manager[0] if client is None else self.first[client]
        body = {"protocol": 1, "cursor": cursor, "limit": 1000}
        return wire.request("POST", "/v1/sync/pull", body, device.headers)

    def read_page(self, body: bytes) -> Page:
        """A page; on PostgreSQL one that says no digest has rows behind it without a number."""
        page = orjson.loads(body)
        return Page(len(page["items"]), page["cursor"], page["more"] or not page["digest"])

    def _patch(self, device: Device, changes: Sequence[Change]) -> bytes:
        made = [
            device.seal("patch", card, base=card.mark, set=changed) for card, changed in changes
        ]
        return self._push(device, made)

    def _push(self, device: Device, mutations: list[dict[str, Any]]) -> bytes:
        body = {"protocol": 1, "acked_through": 0, "mutations": mutations}
        return wire.request("POST", "/v1/sync/push", body, device.headers)


def _read(result: dict[str, Any]) -> Told:
    if result.get("replay"):
        return Told("repeated", result["version"])
    return Told(WHAT.get(result.get("outcome", ""), "failed"), result.get("version"))


def _settings(folder: Path, url: str) -> dict[str, str]:
    return {
        "FIELDSTAMP_DATA": str(folder),
        "FIELDSTAMP_DATABASE": url,
        "FIELDSTAMP_ORIGINS": ORIGIN,
        "FIELDSTAMP_WORKERS": "2",
        "FIELDSTAMP_THREADS": "1",
        "FIELDSTAMP_ACCESS_MINUTES": "600",
        "FIELDSTAMP_LOG_LEVEL": "WARNING",
    }


def _plant(folder: Path, url: str) -> list[str]:
    """Makes the store and its people; a code for each device, in the order of :func:`_enrol`."""
    app = create_app(Settings(data=folder, database=url, origins=(ORIGIN,)), kinds=(CALL,))
    open_store(app)
    shared = app.extensions["fieldstamp"]
    now, ids = shared.clock.now(), shared.ids
    codes: list[str] = []
    with app.app_context():
        with transaction(db.session()):
            store = db.session()
            region = regions.add_region(
                store, ids, level="sales_centre", name_zh="华东", name_en="East"
            )
            people = [(f"rep{n}", Role.REP, 2) for n in range(CLIENTS)]
            for name, role, count in [*people, ("manager", Role.REGION_MANAGER, 1)]:
                person = NewUser(username=name, name=name, home_region=region.id)
                user = users.create_user(store, ids, person, now=now)
                users.grant_role(store, user, role, region=region.id, now=now)
                codes += [devices.issue_code(store, ids, user, now=now) for _ in range(count)]
        db.session.remove()
        db.engine.dispose()
    return codes


def _enrol(port: int, code: str) -> Device:
    key, device = Ed25519PrivateKey.generate(), new_id()
    public = to_base64url(key.public_key().public_bytes_raw())
    body = {
        "code": code,
        "device": {"id": device, "name": "bench", "platform": "bench", "app": "1.0.0"},
        "public_key": {"alg": "ed25519", "key": public},
    }
    told = wire.ask(port, wire.request("POST", "/v1/auth/enrol", body))
    return Device(device, told["user"]["id"], told["access_token"], key)


@contextmanager
def serve(
    folder: Path, url: str, *, database: tuple[int, ...], **settings: str
) -> Iterator[Running]:
    """A running server with its devices; ``database`` are pids that count with its own.

    ``settings`` outweigh those with which records are measured.
    """
    codes, port = _plant(folder, url), free_port()
    environment = {**_settings(folder, url), "FIELDSTAMP_LISTEN": f"{wire.HOST}:{port}"}
    environment |= {f"FIELDSTAMP_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "bench.serve"]
    with running(command, port=port, folder=folder, environment=environment) as pid:
        server = Running(port, (pid, *database))
        enrolled = [_enrol(port, code) for code in codes]
        server.first, server.second = enrolled[:-1:2], enrolled[1:-1:2]
        server.manager = enrolled[-1:]
        yield server
