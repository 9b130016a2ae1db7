"""Real devices (the client library) on the real server in one process, and what they hold."""

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from PIL import Image

from fieldstamp import Client, SyncReport, Transport
from fieldstamp.testing import FixedClock, SeededEntropy, WsgiTransport
from server.db import transaction
from server.people import devices, rights
from server.people.tables import User
from server.sync.push import Envelope, push_batch
from server.sync.queries import find_record
from tests.company import ORIGIN, Company


def jpeg(side: int = 64) -> bytes:
    """A photo that no other one equals."""
    out = io.BytesIO()
    Image.effect_noise((side, side), 64).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


@dataclass
class Fleet:
    """Enrols devices and opens their stores again."""

    app: Flask
    company: Company
    folder: Path
    opened: list[Client] = field(default_factory=list)

    def open(self, name: str, transport: Transport | None = None, **options: Any) -> Client:
        """The store of that name."""
        given = {"clock": FixedClock(), "entropy": SeededEntropy(len(self.opened))}
        client = Client(
            self.folder / f"{name}.db",
            server=ORIGIN,
            transport=transport or WsgiTransport(self.app),
            **given | options,
        )
        self.opened.append(client)
        return client

    def enrol(self, user: str, transport: Transport | None = None, **options: Any) -> Client:
        """A new device of ``user``."""
        client = self.open(f"device{len(self.opened)}", transport, **options)
        self.log_in(client, user)
        return client

    def log_in(self, client: Client, user: str) -> None:
        """Enrols the device, or logs it in again, by a fresh code."""
        with transaction(self.company.store):
            person = self.company.store.get_one(User, user)
            now = self.company.services.clock.now()
            ids = self.company.services.ids
            code = devices.issue_code(self.company.store, ids, person, now=now)
        client.enrol(code, name="phone")

    def copy(self, name: str, to: str) -> None:
        """Copies a store that nobody has open, bytes included."""
        shutil.copy(self.folder / f"{name}.db", self.folder / f"{to}.db")
        blobs = self.folder / f"{name}.db.blobs"
        if blobs.exists():
            shutil.copytree(blobs, self.folder / f"{to}.db.blobs")

    def give(self, customer: str, *, to: str, region: str) -> None:
        """The office hands a customer over to a rep in a region."""
        store, services = self.company.store, self.company.services
        manager = rights.load_principal(store, self.company.user(region="east"), device=None)
        standing = find_record(store, customer)
        assert standing is not None
        mutation = {
            "id": services.ids.new(),
            "action": "patch",
            "kind": "customer",
            "record": customer,
            "base": standing.version,
            "set": {"owner": to, "region": self.company.regions[region]},
        }
        envelope = Envelope(sender=manager, writer="server")
        [result] = push_batch(services.sync, store, envelope, [mutation]).results
        assert result["outcome"] in {"applied", "merged"}, result

    def assert_like_fresh(self, device: Client, user: str) -> None:
        """P5, P7: the device holds what a new one of that person is given, no more, no less."""
        fresh = self.enrol(user)
        synced(fresh)
        assert held(device) == held(fresh)

    def close(self) -> None:
        """Closes every store."""
        for client in self.opened:
            client.close()


def synced(client: Client) -> SyncReport:
    """The report of a sync that reaches its end."""
    report = client.sync().run()
    assert report.synced, (report, client.outbox())
    return report


def held(client: Client) -> dict[str, tuple[str, int, str | None]]:
    """All that the device holds of the server: id → kind, version, data (None: withdrawn)."""
    with client._store.read() as reading:
        rows = reading.rows("SELECT id, kind, version, withdrawn, data FROM record")
    return {
        row[0]: (row[1], row[2], None if row[3] else json.dumps(json.loads(row[4]), sort_keys=True))
        for row in rows
    }


def of_kind(client: Client, kind: str) -> Iterator[str]:
    """Ids of the records of ``kind`` that the device holds."""
    return (record for record, known in held(client).items() if known[0] == kind)


def acknowledged(client: Client) -> dict[str, str]:
    """Outcome by id of every mutation of the device; each was signed by the server."""
    told = {}
    for mutation in client.mutations():
        assert mutation.ack is not None, mutation
        assert mutation.ack["outcome"] == mutation.outcome
        told[mutation.id] = str(mutation.outcome)
    return told


def shop(client: Client, **fields: str) -> str:
    """A new customer."""
    return client.create("customer", {"name": "店", "customer_type": "store", **fields}).id


def visit(client: Client, customer: str) -> str:
    """A new visit."""
    return client.create("visit", {"customer": customer, "purpose": "routine"}).id
