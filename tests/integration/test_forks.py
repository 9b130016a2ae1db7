"""A copied or rolled-back store: noticed, kept, never taken for the other one. Both databases."""

import hashlib
from collections.abc import Callable
from copy import copy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.people.keys import to_base64url
from tests.company import ORIGIN, Company, DeviceHandle, FixedClock
from tests.phone import Phone, customer, new_id


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


def test_a_second_mutation_at_a_known_place_is_taken_and_marked(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    copied = copy(phone)
    here, there = phone.patch(made, 1, {"phone": "1"}), copied.patch(made, 1, {"address": "2"})
    [first] = phone.push(here)
    [second] = copied.push(there)
    assert "fork" not in first
    assert (second["outcome"], second["fork"]) == ("merged", True)
    [again] = copied.push(there)
    assert (again["outcome"], again["fork"], again["replay"]) == ("merged", True, True)


def test_p6_edits_of_two_copies_of_a_store_never_count_as_one_device(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    copied = copy(phone)
    phone.push(phone.patch(made, 1, {"phone": "here"}))
    [lost] = copied.push(copied.patch(made, 1, {"phone": "there"}))
    assert (lost["outcome"], lost["fork"]) == ("conflict", True)
    held = {item["record"]: item["data"] for item in phone.pull_all()}
    assert held[lost["conflicts"][0]]["lost"] == {"phone": "there"}


def test_an_own_chain_of_edits_is_not_a_fork_and_makes_no_conflict(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    edits = [phone.patch(made, 1, {"phone": str(n)}) for n in range(3)]
    results = phone.push(*reversed(edits))
    assert [result["outcome"] for result in results] == ["applied"] * 3
    assert not any("fork" in result for result in results)
    [item] = phone.pull_all()
    assert item["data"]["phone"] == "2"


def test_p6_a_mutation_that_names_anothers_device_is_refused_and_kept(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    phone.push(phone.patch(made, 1, {"phone": "mine"}))
    manager = Phone(client, company.manager())
    posing = manager.patch(made, 1, {"phone": "theirs"}, device=phone.device.id, n=99)
    [result] = manager.push(posing)
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "validation")
    held = {item["record"]: item["data"] for item in phone.pull_all()}
    assert held[made["record"]]["phone"] == "mine"


def test_a_new_device_hands_in_what_the_old_one_of_the_same_person_sealed(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    newer = Phone(client, company.device(phone.device.user))
    [result] = newer.push(made)
    assert (result["outcome"], result["version"]) == ("applied", 1)


NEW_KEY = Ed25519PrivateKey.from_private_bytes(b"n" * 32)


def go_on(phone: Phone, device: str, *, key: Any = None, **given: Any) -> TestResponse:
    """Asks to enrol ``device`` in place of a copy of the phone, signed by ``key``."""
    public = NEW_KEY.public_key().public_bytes_raw()
    message = f"fieldstamp-fork-1\n{ORIGIN}\n{device}\n{hashlib.sha256(public).hexdigest()}"
    proof = (key or phone.device.key).sign(message.encode())
    body = {
        "fork_of": {"device": phone.device.id, "proof": to_base64url(proof)},
        "device": {"id": device, "name": "copy", "platform": "test", "app": "1.0.0"},
        "public_key": {"alg": "ed25519", "key": to_base64url(public)},
    }
    return phone.client.post("/v1/auth/enrol", json=body | given)


def fork(phone: Phone) -> Phone:
    """A copy that has sealed something at a place where the phone has, too."""
    copied = copy(phone)
    phone.push(phone.create("customer", customer()))
    [result] = copied.push(copied.create("customer", customer(name="copy")))
    assert result["fork"] is True
    return copied


def entered(copied: Phone, answer: TestResponse, device: str) -> Phone:
    """The device that goes on, with the token of the answer."""
    told = answer.get_json()
    assert answer.status_code == 200, told
    handle = DeviceHandle(device, told["user"]["id"], "", NEW_KEY, told["access_token"])
    return Phone(copied.client, handle)


def test_a_copied_store_goes_on_under_a_new_device_by_proof(phone: Phone) -> None:
    copied, device = fork(phone), new_id()
    successor = entered(copied, go_on(copied, device), device)
    assert successor.device.user == phone.device.user
    unsent = copied.create("customer", customer(name="sealed before"))
    assert successor.push(unsent)[0]["outcome"] == "applied"
    [own] = successor.push(successor.create("customer", customer(name="sealed after")))
    assert (own["outcome"], own.get("fork")) == ("applied", None)


def test_p2_a_lost_answer_to_a_fork_is_given_again(phone: Phone) -> None:
    copied, device = fork(phone), new_id()
    for _ in range(2):
        entered(copied, go_on(copied, device), device).pull()


def test_a_fork_is_gone_on_from_once(phone: Phone, clock: FixedClock) -> None:
    assert go_on(phone, new_id()).get_json()["code"] == "forbidden"
    copied = fork(phone)
    clock.advance(minutes=1)
    assert go_on(copied, new_id()).status_code == 200
    again = go_on(copied, new_id())
    assert (again.status_code, again.get_json()["code"]) == (403, "forbidden")
    clock.advance(minutes=1)
    fork(phone)
    assert go_on(copied, new_id()).status_code == 200


def test_a_fork_needs_the_proof_of_the_old_device(phone: Phone, company: Company) -> None:
    copied = fork(phone)
    stranger = company.rep()
    for answer in (
        go_on(copied, new_id(), key=stranger.key),
        go_on(copied, new_id(), fork_of={"device": new_id(), "proof": "AA"}),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (401, "bad_proof")


def test_a_fork_takes_no_device_of_somebody_else(phone: Phone, company: Company) -> None:
    copied, stranger = fork(phone), company.rep()
    answer = go_on(copied, stranger.id)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "device_taken")


def test_p5_a_copy_of_a_revoked_device_does_not_go_on(phone: Phone, company: Company) -> None:
    copied = fork(phone)
    company.revoke(phone.device)
    answer = go_on(copied, new_id())
    assert (answer.status_code, answer.get_json()["code"]) == (403, "device_revoked")


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        (lambda body: body.pop("fork_of"), "code", "is needed"),
        (lambda body: body.update(code="ABCDE"), "fork_of", "is not known"),
    ],
)
def test_a_device_is_enrolled_by_a_code_or_by_a_fork(
    phone: Phone, change: Callable[[dict[str, Any]], Any], field: str, word: str
) -> None:
    public = {"alg": "ed25519", "key": to_base64url(NEW_KEY.public_key().public_bytes_raw())}
    about = {"id": new_id(), "name": "copy", "platform": "test", "app": "1.0.0"}
    fork_of = {"device": phone.device.id, "proof": "AA"}
    body: dict[str, Any] = {"device": about, "public_key": public, "fork_of": fork_of}
    change(body)
    answer = phone.client.post("/v1/auth/enrol", json=body, headers={"Accept-Language": "en"})
    assert answer.status_code == 422
    assert word in answer.get_json()["fields"][field]
