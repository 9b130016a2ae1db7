"""``verify``: a store agrees with itself; what was changed behind its back is named, and mended."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from server.db import transaction
from server.services import Services
from server.sync.findings import DERIVED, Finding
from server.upkeep.verify import verify
from server.work.rounds import run_pending
from tests.company import Company
from tests.domain.desk import Desk
from tests.domain.records import visit
from tests.phone import Phone, customer, new_id
from tests.pictures import draw
from tests.stores import settings_of
from tests.uploads import Carrier, sha256_of

PHOTO = draw(300, 200)


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


@pytest.fixture
def manager(client: FlaskClient, company: Company) -> Phone:
    """A region manager's phone in the East."""
    return Phone(client, company.manager())


@pytest.fixture
def made(
    app: Flask, phone: Phone, manager: Phone, client: FlaskClient, company: Company
) -> dict[str, str]:
    """A store with something of everything; name → record."""
    desk = Desk(company)
    shop, gone = (phone.create("customer", customer(name=name, phone="1")) for name in "ab")
    went = phone.create("visit", visit(customer=shop["record"]))
    phone.push(shop, gone, went)
    manager.push(manager.patch(shop, 1, {"phone": "2", "address": "x"}))
    phone.push(phone.patch(shop, 1, {"phone": "3"}), phone.patch(shop, 1, {"channel": "kiosk"}))
    phone.push(phone.withdraw(gone, 1), phone.create("customer", {"name": 5}))
    phone.push(phone.patch({"kind": "customer", "record": new_id()}, 1, {"phone": "1"}))
    other = company.rep("hangzhou")
    reviewer = desk.reviewer()
    handed = {"action": "patch", "kind": "customer", "record": shop["record"], "base": 3}
    desk.send(reviewer, {**handed, "set": {"owner": other.user}}, writer="office")
    desk.decide(reviewer, went["record"], "returned", guidance="g")
    photos = Carrier(client, company.rep(), new_id)
    photo = photos.declare(PHOTO)
    photos.send(photo, PHOTO)
    run_pending(app)
    return {"shop": shop["record"], "gone": gone["record"], "visit": went["record"], "photo": photo}


def findings(app: Flask, store: Session, **how: bool) -> list[Finding]:
    """What ``verify`` finds."""
    services: Services = app.extensions["fieldstamp"]
    return list(verify(store, services.sync, services.media, **how))


def change(store: Session, statement: str, **values: object) -> None:
    """Something that no code of ours does."""
    with transaction(store):
        assert store.execute(text(statement), values).rowcount  # type: ignore[attr-defined]


def test_p7_a_store_at_work_agrees_with_itself(
    app: Flask, made: dict[str, str], store: Session
) -> None:
    assert findings(app, store, photos=True) == []


def test_p7_verify_can_be_asked_to_mend_a_store_that_is_sound(
    app: Flask, made: dict[str, str], store: Session, phone: Phone
) -> None:
    before = phone.pull_all()
    assert findings(app, store, mend=True) == []
    assert phone.pull_all() == before


MENDABLE = {
    "hash_differs": ["UPDATE record SET hash = '0000000000000000' WHERE id = :shop"],
    "field_versions_differ": [
        "UPDATE record SET field_versions = '{\"*\":[1,null,null,0]}' WHERE id = :shop"
    ],
    "feed_differs": [
        "DELETE FROM feed WHERE item = 0 AND record = (SELECT key FROM record WHERE id = :shop)",
        "UPDATE feed SET item = 2 WHERE record = (SELECT key FROM record WHERE id = :visit)",
        "UPDATE feed SET version = 1 WHERE record = (SELECT key FROM record WHERE id = :shop)",
        "DELETE FROM feed WHERE record = (SELECT key FROM record WHERE id = :gone)",
        "INSERT INTO feed (seq, scope, record, item, version, digest) SELECT 1, scope, record,"
        " item, version, digest FROM feed"
        " WHERE record = (SELECT key FROM record WHERE id = :visit)",
    ],
    "item_differs": [
        "UPDATE item SET closed_at = NULL WHERE record = :visit",
        "UPDATE item SET task = 'other' WHERE closed_at IS NULL",
        "DELETE FROM item WHERE closed_at IS NULL",
        "UPDATE item SET region = NULL WHERE closed_at IS NULL",
    ],
    "scope_differs": [
        "UPDATE scope SET records = records + 1",
        "UPDATE scope SET digest = 5 WHERE records > 0",
        "UPDATE scope SET last_seq = 0 WHERE records > 0",
    ],
    "feed_head_behind": ["UPDATE feed_head SET seq = 1"],
}
MENDABLE_CASES = [(what, one) for what, all_ in MENDABLE.items() for one in all_]


@pytest.mark.parametrize(("what", "statement"), MENDABLE_CASES)
def test_p7_what_is_derived_is_named_and_made_again(
    app: Flask,
    made: dict[str, str],
    store: Session,
    phone: Phone,
    manager: Phone,
    what: str,
    statement: str,
) -> None:
    before = held(phone), held(manager)
    named = {name: made[name] for name in made if f":{name}" in statement}
    change(store, statement, **named)
    found = findings(app, store)
    assert what in {one.what for one in found}
    assert not any(one.mended for one in found)
    assert findings(app, store) == found, "looking changes nothing"
    mended = findings(app, store, mend=True)
    assert what in {one.what for one in mended}
    assert all(one.mended for one in mended)
    assert findings(app, store) == []
    assert (held(phone), held(manager)) == before


def held(phone: Phone) -> dict[str, tuple[str, int, str]]:
    """What a device holds that begins with nothing: record → item, version, hash."""
    newest = {item["record"]: item for item in phone.pull_all()}
    return {
        record: (item["item"], item.get("version", 0), item.get("hash", ""))
        for record, item in newest.items()
    }


TRUTH = {
    "history_gap": "DELETE FROM record_version WHERE version = 2"
    " AND record = (SELECT key FROM record WHERE id = :shop)",
    "history_broken": 'UPDATE record_version SET changed = \'{"phone":["7","8"]}\''
    " WHERE version = 2 AND record = (SELECT key FROM record WHERE id = :shop)",
    "head_differs": 'UPDATE record SET data = \'{"name":"z"}\' WHERE id = :shop',
    "outcome_without_effect": "UPDATE mutation SET outcome = 'waiting' WHERE key ="
    " (SELECT mutation FROM record_version WHERE version = 2"
    " AND record = (SELECT key FROM record WHERE id = :shop))",
    "content_differs": "UPDATE mutation SET body = '{\"record\":\"' || :shop || '\"}' WHERE n = 1",
    "outcome_without_version": "UPDATE mutation SET version = 99 WHERE version = 2",
    "not_kept": "UPDATE record SET kind = 'customer' WHERE kind = 'parked'",
    "waits_for_nothing": "DELETE FROM awaited",
}


@pytest.mark.parametrize("what", TRUTH)
def test_p6_what_is_the_truth_is_named_and_never_written(
    app: Flask, made: dict[str, str], store: Session, what: str
) -> None:
    statement = TRUTH[what]
    change(store, statement, **({"shop": made["shop"]} if ":shop" in statement else {}))
    found = findings(app, store)
    assert what in {one.what for one in found}
    left = [one.what for one in findings(app, store, mend=True) if not one.mended]
    assert what in left
    assert not DERIVED & set(left)
    assert what in {one.what for one in findings(app, store)}


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def turn_a_bit(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")


@pytest.mark.parametrize(
    ("damage", "what", "photos"),
    [
        (remove, "bytes_missing", False),
        (cut, "bytes_differ", False),
        (turn_a_bit, "bytes_differ", True),
    ],
)
def test_m4_bytes_that_are_not_as_they_were_verified_are_named(
    app: Flask,
    made: dict[str, str],
    store: Session,
    damage: Callable[[Path], None],
    what: str,
    photos: bool,
) -> None:
    sha256 = sha256_of(PHOTO)
    damage(settings_of(app).data / "blobs" / sha256[:2] / sha256[2:4] / sha256)
    assert [(one.what, one.about) for one in findings(app, store, photos=photos)] == [
        (what, sha256)
    ]


def test_m4_a_record_that_is_said_to_be_verified_without_bytes_is_named(
    app: Flask, made: dict[str, str], store: Session
) -> None:
    with transaction(store):
        store.execute(text("DELETE FROM picture"))
        store.execute(text("DELETE FROM blob"))
    assert [(one.what, one.about) for one in findings(app, store)] == [
        ("bytes_unknown", made["photo"])
    ]
