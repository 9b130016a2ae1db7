"""Scenes whose victim is a phone: saving with a photo, and syncing."""

import hashlib
from typing import Any

from fieldstamp import Client, FieldstampError, Mutation
from tests.durability.ground import demand, tiny_jpeg
from tests.durability.scenes import Scene
from tests.simulation.disk import Crash, Machine

NOTHING = "0" * 64
LONG = 100_000
"""Seconds after which nothing keeps a phone from asking again."""


def demand_whole(client: Client) -> None:
    """I5, I19, I20: the store is sound, its chain unbroken, and the bytes it names are here."""
    with client._store.read() as reading:
        demand(reading.rows("PRAGMA integrity_check") == [("ok",)], "the phone's store is damaged")
        demand(reading.rows("PRAGMA foreign_key_check") == [], "rows of the phone hang in the air")
        uploads = reading.rows("SELECT record, sha256 FROM upload WHERE freed = 0")
    for record, sha256 in uploads:
        demand(client._blobs.is_whole(sha256), f"the bytes of {record} are gone")
    prev = NOTHING
    for place, mutation in enumerate(client.mutations(), start=1):
        demand(mutation.n == place, f"number {place} is missing or was given twice")
        content = hashlib.sha256(mutation.body).digest()
        demand(mutation.prev == prev, f"the chain is broken at {place}")
        digest = hashlib.sha256(b"fieldstamp-seal-1\n" + bytes.fromhex(prev) + content)
        demand(mutation.digest == digest.hexdigest(), f"mutation {place} is torn")
        prev = mutation.digest


class PhoneScene(Scene):
    """The victim is the phone."""

    client: Client

    @property
    def victim(self) -> Machine:
        """The phone."""
        return self.ground.phone

    def prepare(self) -> None:
        """The phone is enrolled, and holds nothing."""

    def open(self) -> None:
        """The app starts."""
        self.client = self.ground.open_phone()

    def is_plain(self, error: Exception) -> bool:
        """The library's own errors, or the system's about the photo."""
        return isinstance(error, (FieldstampError, OSError))


class Saving(PhoneScene):
    """A customer, a visit, its photo and an edit are saved; what a call saved is here (I1)."""

    name = "save"

    def forget(self) -> None:
        """Nothing was saved."""
        self.saved: dict[str, dict[str, Any]] = {}
        self.bytes: dict[str, bytes] = {}

    def act(self) -> None:
        """Saves what is not saved yet."""
        shop = self._first("customer", {"name": "红星", "customer_type": "store"})
        visit = self._first("visit", {"customer": shop, "purpose": "routine"})
        if not self.client.records("photo"):
            content = tiny_jpeg(1)
            photo = self.client.attach(visit, content, tag="goods")
            self.bytes[photo.id] = content
        self.client.patch(visit, {"needs": "两箱"})
        self.saved[visit] = {"needs": "两箱"}

    def check(self) -> None:
        """I1: what was saved is here."""
        demand_whole(self.client)
        for record, values in self.saved.items():
            found = self.client.get(record).data
            demand(values.items() <= found.items(), f"{record} lost what was typed")
        for record, content in self.bytes.items():
            demand(
                self.client.original(record) == content, f"the photo {record} is not what it was"
            )

    def _first(self, kind: str, values: dict[str, Any]) -> str:
        found = self.client.records(kind)
        record = found[0].id if found else self.client.create(kind, values).id
        self.saved.setdefault(record, values)
        return record


class Syncing(PhoneScene):
    """What was saved is synced; what the phone holds as answered is so (I2, I3, I11)."""

    name = "sync"

    def prepare(self) -> None:
        """A visit with a photo waits to be sent."""
        client = self.ground.open_phone()
        shop = client.create("customer", {"name": "红星", "customer_type": "store"})
        visit = client.create("visit", {"customer": shop.id, "purpose": "routine"})
        client.attach(visit, tiny_jpeg(3), tag="goods")

    def forget(self) -> None:
        """Nothing was said."""
        self.is_synced = False

    def act(self) -> None:
        """Syncs, in three rounds at most."""
        for _ in range(3):
            self.ground.phone_clock.pass_time(LONG)
            self.client = self.ground.open_phone()
            report = self.client.sync().run()
            if self.victim.is_down:
                raise Crash(self.victim.name)
            if report.synced:
                self.is_synced = True
                return
        raise FieldstampError(
            report.message, code=report.reason or "pending", retryable=True, action=""
        )

    def check(self) -> None:
        """P3, I3: nothing is called settled that the server does not hold."""
        demand_whole(self.client)
        mutations = self.client.mutations()
        demand(len(mutations) == 3, "something that was saved is gone")
        self._demand_answers(mutations)
        status = self.client.status()
        demand(status.synced or not self.is_synced, "what was synced is not so any more")
        if status.synced:
            self._demand_synced(mutations)

    def _demand_answers(self, mutations: list[Mutation]) -> None:
        rows = self.ground.office.rows("SELECT id, outcome FROM mutation WHERE device IS NOT NULL")
        held = {row.id: row.outcome for row in rows}
        for mutation in mutations:
            if mutation.ack is not None:
                demand(held.get(mutation.id) == mutation.outcome, f"{mutation.id} is not held")
        self.ground.office.demand_sound()

    def _demand_synced(self, mutations: list[Mutation]) -> None:
        demand(all(m.ack for m in mutations), "synced is said before all was answered")
        blobs = self.ground.office.demand_blobs()
        demand(blobs, "synced is said before the photo was verified")


class SyncingOffice(Syncing):
    """The same sync; it is the server whose power goes."""

    name = "sync-server"

    @property
    def victim(self) -> Machine:
        """The server."""
        return self.ground.server

    def open(self) -> None:
        """Both start."""
        self.ground.office.open()
        super().open()
