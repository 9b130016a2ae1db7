"""Scenes whose victim is a phone: saving with a photo, and syncing."""

import hashlib
import json
from typing import Any

from fieldstamp import Client, FieldstampError
from tests.durability.ground import demand, tiny_jpeg
from tests.durability.scenes import Scene
from tests.simulation.disk import Machine

NOTHING = "0" * 64


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


class Saving(Scene):
    """A visit, its photo and an edit are saved; what a call saved is on the disk (I1)."""

    name = "save"
    client: Client

    @property
    def victim(self) -> Machine:
        """The phone."""
        return self.ground.phone

    def forget(self) -> None:
        """Nothing was saved."""
        self.saved: dict[str, dict[str, Any]] = {}
        self.bytes: dict[str, bytes] = {}

    def open(self) -> None:
        """The app starts."""
        self.client = self.ground.open_phone()

    def act(self) -> None:
        """Saves what is not saved yet."""
        visits = self.client.records("visit")
        visit = (
            visits[0] if visits else self._save({"customer": self._shop(), "purpose": "routine"})
        )
        self.saved.setdefault(visit.id, {})
        if not self.client.records("photo"):
            content = tiny_jpeg(1)
            photo = self.client.attach(visit, content, tag="goods")
            self.bytes[photo.id] = content
        self.client.patch(visit.id, {"needs": "两箱"})
        self.saved[visit.id]["needs"] = "两箱"

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

    def is_plain(self, error: Exception) -> bool:
        """The library's own errors, or the system's about the photo."""
        return isinstance(error, (FieldstampError, OSError))

    def _shop(self) -> str:
        shops = self.client.records("customer")
        if shops:
            return shops[0].id
        return self.client.create("customer", {"name": "红星", "customer_type": "store"}).id

    def _save(self, values: dict[str, Any]) -> Any:
        return self.client.create("visit", values)


def outcomes_of(client: Client) -> dict[str, str]:
    """Mutation → final outcome, as the phone holds them."""
    return {m.id: m.outcome for m in client.mutations() if m.ack is not None and m.outcome}


def body_of(mutation: Any) -> Any:
    """What was sealed."""
    return json.loads(mutation.body)
