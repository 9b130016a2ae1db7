"""Devices with the real client library, on lines and disks that fail when a test says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from fieldstamp.testing import WsgiTransport
from tests.company import Company
from tests.fleet import Fleet
from tests.incidents.faults import Line
from tests.incidents.otherside import OtherSide


@pytest.fixture
def fleet(app: Flask, company: Company, tmp_path: Path) -> Iterator[Fleet]:
    """Devices of the company."""
    fleet = Fleet(app, company, tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def rep(company: Company) -> str:
    """A rep in Shanghai."""
    return company.user()


@pytest.fixture
def line(app: Flask) -> Line:
    """A way to the server that a test may break and mend."""
    return Line(WsgiTransport(app))


@pytest.fixture
def other_side(app: Flask, company: Company) -> OtherSide:
    """What the server has."""
    return OtherSide(app, company)
