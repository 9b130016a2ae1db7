"""Pull over HTTP: order, completeness, scopes, digests. Both databases."""

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from server.db import transaction
from server.people.principal import Role
from server.people.tables import RoleGrant
from tests.company import Company
from tests.phone import Phone, canonical, customer


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


@pytest.fixture
def manager(client: FlaskClient, company: Company) -> Phone:
    """A region manager's phone in the East."""
    return Phone(client, company.manager())


def digest_of(items: list[dict[str, Any]], scope: str) -> dict[str, Any]:
    """The scope digest as PROTOCOL defines it, computed from what a device holds."""
    held = [i for i in items if i["item"] == "put" and scope in i["scopes"]]
    total = 0
    for item in held:
        text = f"{item['record']}:{item['version']}:{item['hash']}".encode()
        total += int.from_bytes(hashlib.sha256(text).digest()[:8])
    return {"scope": scope, "count": len(held), "sum": f"{total % 2**64:016x}"}


def newest(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a device holds after these items."""
    held: dict[str, dict[str, Any]] = {}
    for item in items:
        if item["item"] == "leave":
            held.pop(item["record"], None)
        else:
            held[item["record"]] = item
    return list(held.values())


def test_p4_pages_give_every_change_once_and_in_order(phone: Phone) -> None:
    made = [phone.create("customer", customer(name=str(n))) for n in range(25)]
    phone.push(*made)
    items = phone.pull_all(limit=4)
    assert [item["record"] for item in items] == [one["record"] for one in made]


def test_p4_an_edit_brings_its_record_behind_the_cursor(phone: Phone) -> None:
    first, second = (phone.create("customer", customer(name=n)) for n in "ab")
    phone.push(first, second)
    cursor = phone.pull()["cursor"]
    assert phone.pull(cursor)["items"] == []
    phone.push(phone.patch(first, 1, {"phone": "5"}))
    page = phone.pull(cursor)
    assert [(item["record"], item["version"]) for item in page["items"]] == [(first["record"], 2)]


def test_p4_parents_come_before_children_even_when_the_parent_changed_later(phone: Phone) -> None:
    made = phone.create("customer", customer())
    visits = [
        phone.create("visit", {"customer": made["record"], "purpose": "routine"}) for _ in range(6)
    ]
    phone.push(made, *visits)
    phone.push(phone.patch(made, 1, {"phone": "5"}))
    seen: set[str] = set()
    for item in phone.pull_all(limit=2):
        if item["kind"] == "visit":
            assert item["data"]["customer"] in seen
        seen.add(item["record"])
    assert len(seen) == 7


def test_p7_the_digest_of_a_scope_is_what_its_holder_computes(
    phone: Phone, manager: Phone, company: Company
) -> None:
    made = [phone.create("customer", customer(name=str(n))) for n in range(5)]
    phone.push(*made)
    phone.push(phone.patch(made[0], 1, {"phone": "5"}), phone.withdraw(made[1], 1))
    region = f"region:{company.regions['shanghai']}"
    for reader in (phone, manager):
        items, cursor = [], None
        while True:
            page = reader.pull(cursor, limit=2)
            items += page["items"]
            cursor = page["cursor"]
            if not page["more"]:
                break
        for told in page["digest"]:
            assert told == digest_of(newest(items), told["scope"])
    assert region in {told["scope"] for told in page["digest"]}


def test_the_hash_of_an_item_is_that_of_its_canonical_data(phone: Phone) -> None:
    phone.push(phone.create("customer", customer(name="שּׁ😀")))
    [item] = phone.pull_all()
    assert item["hash"] == hashlib.sha256(canonical(item["data"])).hexdigest()[:16]


def test_p5_a_rep_gets_own_records_and_a_manager_the_whole_subtree(
    phone: Phone, manager: Phone, client: FlaskClient, company: Company
) -> None:
    elsewhere = Phone(client, company.rep("guangzhou"))
    mine, theirs = phone.create("customer", customer()), elsewhere.create("customer", customer())
    phone.push(mine)
    elsewhere.push(theirs)
    assert [item["record"] for item in phone.pull_all()] == [mine["record"]]
    assert [item["record"] for item in manager.pull_all()] == [mine["record"]]
    assert [item["record"] for item in elsewhere.pull_all()] == [theirs["record"]]


def test_p5_a_role_lost_is_one_event_and_a_role_gained_is_back_filled(
    phone: Phone, manager: Phone, client: FlaskClient, company: Company, store: Session
) -> None:
    south = Phone(client, company.rep("guangzhou"))
    known = [south.create("customer", customer(name=str(n))) for n in range(5)]
    south.push(*known)
    phone.push(phone.create("customer", customer()))
    page = manager.pull()
    assert len(page["items"]) == 1
    user = manager.device.user
    with transaction(store):
        store.execute(delete(RoleGrant).where(RoleGrant.user == user))
        grant = {"user": user, "role": Role.REGION_MANAGER.value}
        store.execute(insert(RoleGrant).values(**grant, region=company.regions["south"]))
    east = {f"region:{company.regions[name]}" for name in ("east", "shanghai", "hangzhou")}
    page = manager.pull(page["cursor"], limit=2)
    assert {e["scope"] for e in page["events"] if e["event"] == "scope_leave"} == east
    got = list(page["items"])
    while page["more"]:
        assert page["backfilling"]
        page = manager.pull(page["cursor"], limit=2)
        got += page["items"]
    assert [item["record"] for item in got] == [one["record"] for one in reversed(known)]
    assert page["backfilling"] == []
    scope = f"region:{company.regions['guangzhou']}"
    assert digest_of(got, scope) in page["digest"]


@pytest.mark.parametrize("cursor", ["", "x", "WyJlIl0.AAAA"])
def test_a_cursor_that_was_not_signed_here_begins_anew(phone: Phone, cursor: str) -> None:
    assert phone.pull(cursor)["resync_required"] == "cursor_unknown"


def test_p5_a_cursor_of_another_device_is_of_no_use(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    cursor = phone.pull()["cursor"]
    other = Phone(client, company.rep())
    assert other.pull(cursor)["resync_required"] == "cursor_unknown"
