"""P7: digests, repair of buckets, snapshots, and how far back devices hold. Both databases."""

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from server.people import rights
from server.sync.aging import KEPT_DAYS, compact, mark_day, sweep_aged
from server.sync.push import Envelope, push_batch
from tests.company import Company, FixedClock
from tests.phone import Phone, customer, new_id


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


def ask(phone: Phone, path: str, **body: Any) -> dict[str, Any]:
    """The answer to a POST below /v1/sync that succeeds."""
    response = phone.client.post(
        f"/v1/sync/{path}", json={"protocol": 1, **body}, headers=phone.device.headers
    )
    assert response.status_code == 200, response.get_data(as_text=True)
    told: dict[str, Any] = response.get_json()
    return told


def own_scope(phone: Phone) -> str:
    """The scope of the rep."""
    return f"user:{phone.device.user}"


def bucket_sums(items: list[dict[str, Any]]) -> dict[str, tuple[int, str]]:
    """Count and sum by bucket, as a device computes them."""
    sums: dict[str, tuple[int, int]] = {}
    for item in items:
        text = f"{item['record']}:{item['version']}:{item['hash']}".encode()
        part = int.from_bytes(hashlib.sha256(text).digest()[:8])
        count, total = sums.get(item["record"][-2:], (0, 0))
        sums[item["record"][-2:]] = (count + 1, (total + part) % 2**64)
    return {bucket: (count, f"{total:016x}") for bucket, (count, total) in sums.items()}


def test_p7_the_breakdown_of_a_digest_is_what_its_holder_computes(phone: Phone) -> None:
    phone.push(*(phone.create("customer", customer(name=str(n))) for n in range(40)))
    told = ask(phone, "digest", scope=own_scope(phone))
    assert {one["bucket"]: (one["count"], one["sum"]) for one in told["buckets"]} == bucket_sums(
        phone.pull_all()
    )


def test_p7_a_repair_brings_exactly_what_lies_in_its_buckets(phone: Phone) -> None:
    phone.push(*(phone.create("customer", customer(name=str(n))) for n in range(40)))
    items = phone.pull_all()
    wanted = items[0]["record"][-2:]
    told = ask(phone, "digest", scope=own_scope(phone), repair=[wanted, "00"])
    expected = [item for item in items if item["record"][-2:] in {wanted, "00"}]
    assert told["items"] == expected


def test_p5_the_digest_of_a_scope_that_is_not_held_is_not_told(
    phone: Phone, company: Company
) -> None:
    for scope in (f"region:{company.regions['shanghai']}", f"user:{new_id()}", "region:none"):
        response = phone.client.post(
            "/v1/sync/digest", json={"protocol": 1, "scope": scope}, headers=phone.device.headers
        )
        assert response.status_code == 404


def test_a_snapshot_replaces_everything_and_its_cursor_goes_on_from_before_it(
    phone: Phone,
) -> None:
    made = [phone.create("customer", customer(name=str(n))) for n in range(9)]
    visit = phone.create("visit", {"customer": made[0]["record"], "purpose": "routine"})
    phone.push(*made, visit)
    phone.push(phone.withdraw(made[8], 1))
    first = ask(phone, "snapshot", page=None, limit=4)
    phone.push(phone.patch(made[0], 1, {"phone": "meanwhile"}))
    got, page = list(first["items"]), first
    while page["more"]:
        page = ask(phone, "snapshot", page=page["page"], limit=4)
        got += page["items"]
    assert {item["record"] for item in got} == {
        *(one["record"] for one in made[:8]), visit["record"],
    }  # fmt: skip
    assert [item["kind"] for item in got][-1] == "visit"
    assert page["cursor"] == first["cursor"]
    [late] = phone.pull(page["cursor"])["items"]
    assert (late["record"], late["data"]["phone"]) == (made[0]["record"], "meanwhile")


def test_p5_a_page_of_anothers_snapshot_is_of_no_use(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    phone.push(*(phone.create("customer", customer(name=str(n))) for n in range(5)))
    page = ask(phone, "snapshot", page=None, limit=2)["page"]
    other = Phone(client, company.rep())
    for token in (page, "x", ""):
        response = client.post(
            "/v1/sync/snapshot",
            json={"protocol": 1, "page": token},
            headers=other.device.headers,
        )
        assert response.status_code == 400


def receipt(phone: Phone) -> dict[str, Any]:
    """A receipt."""
    paid = {"kind": "meal", "amount": "10.00", "currency": "CNY", "date": "2026-03-01"}
    return phone.create("receipt", paid)


def decide(company: Company, made: dict[str, Any]) -> None:
    """The office accepts a record."""
    manager = rights.load_principal(company.store, company.user(region="east"), device=None)
    values = {"verdict": "accepted", "verdict_reason": "x", "decided_by": manager.user}
    mutation = {
        "id": new_id(),
        "action": "patch",
        "kind": made["kind"],
        "record": made["record"],
        "base": 1,
        "set": values | {"decided_at": "2026-03-02T09:00:00Z"},
    }
    envelope = Envelope(sender=manager, writer="server")
    pushed = push_batch(company.services.sync, company.store, envelope, [mutation])
    assert pushed.results[0]["outcome"] == "merged" or pushed.results[0]["outcome"] == "applied"


def test_closed_work_of_long_ago_leaves_the_devices_and_comes_back_when_it_is_written(
    phone: Phone, company: Company, store: Session, clock: FixedClock
) -> None:
    closed, still_open = receipt(phone), receipt(phone)
    photo = phone.create(
        "photo",
        {
            "parent_kind": "receipt",
            "parent": closed["record"],
            "sha256": "ab" * 32,
            "bytes": 10,
            "type": "image/jpeg",
            "source": "gallery",
        },
    )
    results = phone.push(closed, still_open, photo)
    assert {result["outcome"] for result in results} == {"applied"}, results
    decide(company, closed)
    clock.advance(days=300)
    sync = company.services.sync
    assert sweep_aged(store, sync, months=13) == 0
    phone = Phone(phone.client, company.again(phone.device), n=phone.n, prev=phone.prev)
    cursor = phone.pull()["cursor"]
    clock.advance(days=120)
    assert sweep_aged(store, sync, months=13) == 2
    phone = Phone(phone.client, company.again(phone.device), n=phone.n, prev=phone.prev)
    page = phone.pull(cursor)
    assert {item["record"]: item["reason"] for item in page["items"]} == {
        closed["record"]: "aged",
        photo["record"]: "aged",
    }
    [own] = [told for told in page["digest"] if told["scope"] == own_scope(phone)]
    assert own["count"] == 1
    [result] = phone.push(phone.patch(closed, 2, {"seller": "late"}))
    assert result["outcome"] == "applied", result
    [back] = phone.pull(page["cursor"])["items"]
    assert (back["item"], back["record"]) == ("put", closed["record"])


def test_traces_older_than_400_days_go_and_an_older_cursor_begins_anew(
    phone: Phone, company: Company, store: Session, clock: FixedClock
) -> None:
    made = phone.create("customer", customer())
    kept = phone.create("customer", customer())
    phone.push(made, kept)
    old = phone.pull()["cursor"]
    phone.push(phone.withdraw(made, 1))
    recent = phone.pull(old)["cursor"]
    assert mark_day(store, clock.now()) == 1
    assert mark_day(store, clock.now()) == 0
    clock.advance(days=KEPT_DAYS - 1)
    assert compact(store, clock.now()) == 0
    clock.advance(days=2)
    mark_day(store, clock.now())
    assert compact(store, clock.now()) == 2
    phone = Phone(phone.client, company.again(phone.device))
    assert phone.pull(old)["resync_required"] == "cursor_too_old"
    assert phone.pull(recent)["items"] == []
    page = phone.pull(None, limit=1)
    assert [item["record"] for item in page["items"]] == [kept["record"]]
    assert "resync_required" not in phone.pull(page["cursor"], limit=1)
