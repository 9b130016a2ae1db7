"""One simulated device: its folder, clocks, person, and the client that is open on it."""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fieldstamp import Client, FieldstampError, Record, Transport
from fieldstamp._client import SyncRun
from fieldstamp._drafts import Draft
from fieldstamp.testing import FixedClock
from tests.company import ORIGIN


class Chance:
    """Entropy of a device, from the seed."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)

    def secret(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        return self._chance.randbytes(size)

    def fraction(self) -> float:
        """The next number from 0 up to, not including, 1."""
        return self._chance.random()


@dataclass
class Handset:
    """A device; ``saved`` is what its person was told to be saved (I1)."""

    index: int
    user: str
    folder: Path
    transport: Transport
    entropy: Chance
    clock: FixedClock = field(default_factory=FixedClock)
    drift: float = 1.0
    client: Client | None = None
    run: SyncRun | None = None
    draft: tuple[Record, Draft] | None = None
    """The record as its person saw it, and the edit that was begun."""
    saved: dict[str, str] = field(default_factory=dict)
    """Mutation id → digest."""
    bytes_saved: dict[str, str] = field(default_factory=dict)
    """Photo record → SHA-256 of its original."""
    told: str | None = None
    """Why its last sync did not end synced."""
    rotten: bool = False
    """Its copy of a record went bad, so that it will find a digest that differs."""
    copied: bool = False
    """Its store was copied or rolled back, so that numbers of its chain may be taken twice."""

    @property
    def name(self) -> str:
        """How its machine is called."""
        return f"device{self.index}"

    @property
    def id(self) -> str | None:
        """The device id of its store today."""
        with self.open()._store.read() as reading:
            account = reading.value("account") or {}
            known = account.get("device") or reading.value("device")
        return None if known is None else str(known)

    @property
    def epoch(self) -> str | None:
        """The epoch that it has heard of."""
        with self.open()._store.read() as reading:
            hello = reading.value("hello")
        return str(hello["epoch"]) if hello else None

    @property
    def path(self) -> Path:
        """The store."""
        return self.folder / "field.db"

    def blob(self, name: str) -> Path:
        """Where the bytes of that hash are, if they are on the device."""
        return Path(f"{self.path}.blobs/{name[:2]}/{name}")

    def open(self) -> Client:
        """The client, opened where it is not."""
        if self.client is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.client = Client(
                self.path,
                server=ORIGIN,
                transport=self.transport,
                clock=self.clock,
                entropy=self.entropy,
            )
        return self.client

    def close(self) -> None:
        """Ends the process in good order."""
        self.leave_sync()
        self.draft = None
        if self.client is not None:
            self.client.close()
            self.client = None

    def leave_sync(self) -> None:
        """Leaves a sync that is under way."""
        if self.run is not None:
            with suppress(FieldstampError):
                self.run.close()
        self.run = None

    def drop(self) -> None:
        """Lets go of all objects of the process, which may have no disk any more."""
        client, self.client, self.run, self.draft = self.client, None, None, None
        if client is not None:
            with suppress(FieldstampError, OSError):
                client.close()
