"""A company with a receiver on loopback that its server may call."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from server.extensions import db
from server.outward import calling, mailing
from server.settings import Settings
from tests.company import ORIGIN, Company
from tests.domain.desk import Desk
from tests.outward.receivers import Receiver, listening
from tests.outward.site import Site
from tests.until import LIMIT_SECONDS


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver of a busy machine is not taken for a silent one."""
    monkeypatch.setattr(calling, "QUIET_SECONDS", LIMIT_SECONDS)
    monkeypatch.setattr(calling, "WHOLE_SECONDS", LIMIT_SECONDS)
    monkeypatch.setattr(mailing, "PATIENCE_SECONDS", LIMIT_SECONDS)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Takes events."""
    with listening() as receiver:
        yield receiver


@pytest.fixture
def second() -> Iterator[Receiver]:
    """Another receiver."""
    with listening() as receiver:
        yield receiver


@pytest.fixture
def settings(tmp_path: Path, store_url: str, receiver: Receiver, second: Receiver) -> Settings:
    """Settings that name both receivers."""
    allow = tuple(f"127.0.0.1:{one.port}" for one in (receiver, second))
    return Settings(data=tmp_path / "data", database=store_url, origins=(ORIGIN,), hook_allow=allow)


@pytest.fixture
def site(app: Flask, company: Company) -> Site:
    """The company, its desk and its worker."""
    return Site(app, company, Desk(company), db.session())
