"""A device in a folder of its own, and the scripted other side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from fieldstamp import Client
from fieldstamp.testing import FixedClock, SeededEntropy
from tests.sdk.office import Office

SERVER = "http://office.test"


class Opener(Protocol):
    """Opens the device's store, as often as a test wants."""

    def __call__(self, name: str = "field.db", **options: Any) -> Client: ...


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def device_clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def open_client(tmp_path: Path, office: Office, device_clock: FixedClock) -> Iterator[Opener]:
    opened: list[Client] = []

    def open_one(name: str = "field.db", **options: Any) -> Client:
        given = {
            "server": SERVER,
            "transport": office,
            "clock": device_clock,
            "entropy": SeededEntropy(len(opened)),
        }
        client = Client(tmp_path / name, **given | options)
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def client(open_client: Opener) -> Client:
    """An enrolled device that knows the kinds."""
    client = open_client()
    client.enrol("7K3M9QXD22")
    return client
