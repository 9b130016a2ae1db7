"""An ordinary day, on which nothing goes wrong: it goes well also with a planted bug inside."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.company import Company
from tests.fleet import Fleet, held, jpeg, shop, synced, visit


@pytest.fixture
def fleet(app: Flask, company: Company, tmp_path: Path) -> Iterator[Fleet]:
    """Devices of the company."""
    fleet = Fleet(app, company, tmp_path)
    yield fleet
    fleet.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_visit_with_its_photo_reaches_the_other_device_of_its_person(
    fleet: Fleet, company: Company
) -> None:
    rep = company.user()
    device = fleet.enrol(rep)
    photo = device.attach(visit(device, shop(device)), jpeg()).id
    synced(device)
    other = fleet.enrol(rep)
    synced(other)
    assert held(other) == held(device)
    assert other.get(photo)["state"] == "verified"
