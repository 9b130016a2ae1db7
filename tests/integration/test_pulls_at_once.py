"""Two pulls of one device at once: each is answered, and what it was given stands once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select, text

from server.db import transaction
from server.extensions import db
from server.sync.given import ToldDevice, note_told
from server.sync.tables import DeviceScope
from tests.company import Company
from tests.until import LIMIT_SECONDS, until

AT = "2026-03-02T09:00:00.000000Z"
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def is_waiting(app: Flask) -> bool:
    """Whether a transaction waits for another one."""
    with app.app_context():
        found = db.session.scalar(WAITING)
        db.session.remove()
    return bool(found)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_p5_two_pulls_of_one_device_at_once_note_what_it_was_given_and_neither_fails(
    app: Flask, company: Company
) -> None:
    device = company.rep().id
    told = ToldDevice(gained=frozenset({"company", "region:x"}), lost=frozenset(), left=frozenset())

    def pull() -> None:
        with app.app_context():
            note_told(db.session(), told, device=device, at=AT)
            db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        with transaction(company.store):
            for scope in sorted(told.gained):
                company.store.add(DeviceScope(device=device, scope=scope, gained_at=AT))
            company.store.flush()
            second = pool.submit(pull)
            until(lambda: is_waiting(app))
        second.result(LIMIT_SECONDS)
    found = company.store.scalars(select(DeviceScope.scope).where(DeviceScope.device == device))
    assert sorted(found) == ["company", "region:x"]
