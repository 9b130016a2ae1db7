"""``python -m server.demo.count``: is anything lost? Asked from outside, by a process of its own.

Reads the store of each device and fetches every record and every original over HTTP, as the
device's own person. Writes one JSON object; its status is 0 only where nothing is lost (P6).
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fieldstamp import Client, Mutation
from server.demo.asking import Asker, Replica
from server.demo.folder import Crew, read_crew

BYTES = frozenset({"photo", "signature"})
KEPT_HERE = frozenset({"ready", "aside", "waiting"})


class Count(msgspec.Struct, kw_only=True):
    """What was found. ``waiting`` is still on its way and stands in the store of its device."""

    devices: int = 0
    mutations: int = 0
    photos_verified: int = 0
    conflicts: int = 0
    rejected: int = 0
    waiting: int = 0
    lost: int = 0
    names_of_lost: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One device's store beside what the server says to the device's own person."""

    client: Client
    asker: Asker
    replica: Replica
    count: Count

    def look(self) -> Iterator[tuple[str, list[str]]]:
        """Compares everything; yields each thing that is lost, and what of it."""
        unsent = {item.record for item in self.client.outbox() if item.what == "upload"}
        for mutation in self.client.mutations():
            self._count(mutation)
            if mutation.state in KEPT_HERE:
                continue
            if missing := self._missing(mutation):
                yield f"{mutation.kind} {mutation.record}", missing
            if mutation.kind in BYTES and mutation.action == "create":
                if mutation.record in unsent:
                    self.count.waiting += 1
                elif not self._has_original(mutation):
                    yield f"original {mutation.record}", ["the bytes"]

    def _count(self, mutation: Mutation) -> None:
        self.count.mutations += 1
        self.count.waiting += mutation.state in KEPT_HERE
        self.count.conflicts += mutation.outcome == "conflict"
        self.count.rejected += mutation.outcome == "rejected"

    def _missing(self, mutation: Mutation) -> list[str]:
        """The fields whose value stands nowhere that this person can reach."""
        values: Mapping[str, Any] = msgspec.json.decode(mutation.body).get("set", {})
        if mutation.outcome == "rejected":
            kept = self.replica.parked(mutation.id)
        else:
            kept = self.replica.current(mutation.record)
        if kept is None:
            return ["the whole record"]
        odd = [name for name, value in values.items() if not _holds(kept.get(name), value)]
        if not odd or mutation.outcome == "rejected":
            return odd
        elsewhere = self.replica.lost_in_conflict(mutation.id) | self._superseded(mutation)
        return [name for name in odd if not _holds(elsewhere.get(name), values[name])]

    def _superseded(self, mutation: Mutation) -> dict[str, Any]:
        """What the server took of it, where a newer version explains that other values stand."""
        fate = self.asker.ask("GET", f"/v1/sync/mutations/{mutation.id}")
        taken = fate is not None and fate.get("outcome") in {"applied", "merged"}
        if fate is None or not taken or fate["version"] >= self.replica.version(mutation.record):
            return {}
        kept: dict[str, Any] = fate["mutation"].get("set", {})
        return kept

    def _has_original(self, mutation: Mutation) -> bool:
        """Whether the server gives back the very bytes that this device saved."""
        mine = hashlib.sha256(self.client.original(mutation.record)).hexdigest()
        theirs = self.asker.fetch(f"/v1/media/{mutation.record}/original")
        is_same = theirs is not None and hashlib.sha256(theirs).hexdigest() == mine
        self.count.photos_verified += is_same and mutation.kind == "photo"
        return is_same


def _holds(stands: object, value: object) -> bool:
    """Whether ``value`` is what stands; of a set, whether it is among it."""
    if isinstance(stands, list) and isinstance(value, list):
        return all(entry in stands for entry in value)
    return stands == value


def count_lost(crew: Crew, server: str) -> Count:
    """Compares every device of ``crew`` with the server at that address."""
    count = Count(devices=len(crew.devices))
    lost: dict[str, dict[str, None]] = {}
    for device in crew.devices:
        asker = Asker.login(server, device.username, device.password)
        with Client(device.store) as client:
            audit = Audit(client=client, asker=asker, replica=asker.pull_all(), count=count)
            for thing, missing in audit.look():
                lost.setdefault(thing, {}).update(dict.fromkeys(missing))
    count.lost = len(lost)
    count.names_of_lost = [f"{thing}: {', '.join(missing)}" for thing, missing in lost.items()]
    return count


def main(arguments: list[str]) -> int:
    """``count FOLDER [SERVER]``; the status is 1 where something is lost."""
    crew = read_crew(Path(arguments[0]))
    count = count_lost(crew, arguments[1] if len(arguments) > 1 else crew.server)
    sys.stdout.write(msgspec.json.encode(count).decode() + "\n")
    return 1 if count.lost else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
