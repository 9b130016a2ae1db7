"""The SDK and the real server in one process, on both databases: what one says the other takes."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from fieldstamp import Client
from fieldstamp.testing import FixedClock, SeededEntropy, WsgiTransport
from server.db import transaction
from server.people import devices
from server.people.tables import User
from tests.company import ORIGIN, Company


def jpeg(side: int = 64) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((side, side), 64).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture
def device(tmp_path: Path, app: Flask, company: Company) -> Iterator[Client]:
    """A rep's enrolled device, on a transport straight into the application."""
    client = Client(
        tmp_path / "field.db",
        server=ORIGIN,
        transport=WsgiTransport(app),
        clock=FixedClock(),
        entropy=SeededEntropy(1),
    )
    with transaction(company.store):
        person = company.store.get_one(User, company.user())
        now = company.services.clock.now()
        code = devices.issue_code(company.store, company.services.ids, person, now=now)
    client.enrol(code, name="phone")
    yield client
    client.close()


def save_visit(device: Client, **fields: Any) -> Any:
    customer = device.create("customer", {"name": "南京路烟酒店", "customer_type": "store"})
    return device.create("visit", {"customer": customer, "purpose": "routine", **fields})


def test_p3_a_visit_and_its_photo_are_synced_and_equal_on_both_sides(device: Client) -> None:
    visit = save_visit(device)
    photo = device.attach(visit, jpeg(900), tag="store_front", source="app_camera")
    report = device.sync().run()
    assert report.reason is None, (report, device.outbox())
    assert report.synced
    assert device.get(photo.id)["state"] == "verified"
    assert device.get(visit.id).version >= 1
    assert not device.get(visit.id).pending
