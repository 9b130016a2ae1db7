"""Enrolling and logging in, on both databases."""

import time
from threading import BoundedSemaphore
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from server.db import transaction
from server.errors import Problem
from server.people import devices, passwords, users
from server.people.refresh import proof_message
from server.people.tables import Device, User
from tests.company import ORIGIN, Company, FixedClock
from tests.phones import P256Key, Phone, issue_code

PASSWORD = "correct horse battery"


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    return Phone(client, company.services.ids.new())


def _with_password(company: Company, **given: Any) -> User:
    user = company.user(**given)
    with transaction(company.store):
        person = company.store.get_one(User, user)
        hashed = passwords.hash_password(PASSWORD)
        users.set_password(company.store, person, hashed, now=company.services.clock.now())
    return company.store.get_one(User, user)


def test_a_code_enrols_a_device_and_its_token_names_the_person(
    phone: Phone, company: Company
) -> None:
    user = company.user()
    answer = phone.enrol(issue_code(company, user))
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["user"]["id"] == user
    assert answer.json["device"] == phone.id
    assert answer.json["roles"] == ["rep"]
    assert answer.json["scopes"] == ["company", f"user:{user}"]
    assert answer.json["server_key"]["alg"] == "ed25519"
    me = phone.me().json
    assert me is not None
    assert me["user"]["id"] == user


def test_the_same_code_device_and_key_give_the_same_answer_until_the_code_expires(
    phone: Phone, company: Company, clock: FixedClock
) -> None:
    code = issue_code(company, company.user())
    first = phone.enrol(code).json
    clock.advance(minutes=9)
    second = phone.enrol(f" {code[:5].lower()}-{code[5:]} ").json
    assert first is not None
    assert second is not None
    assert second["refresh_token"] == first["refresh_token"]
    assert phone.me().status_code == 200
    clock.advance(minutes=1)
    assert phone.enrol(code).json["code"] == "code_unusable"  # type: ignore[index]


def test_a_code_works_for_one_device_only(phone: Phone, company: Company) -> None:
    code = issue_code(company, company.user())
    assert phone.enrol(code).status_code == 200
    other = Phone(phone.client, company.services.ids.new())
    answer = other.enrol(code)
    assert (answer.status_code, answer.json["code"]) == (403, "code_unusable")  # type: ignore[index]


def test_a_code_of_a_disabled_person_is_unusable(phone: Phone, company: Company) -> None:
    user = company.user()
    code = issue_code(company, user)
    with transaction(company.store):
        person = company.store.get_one(User, user)
        users.disable_user(company.store, person, now=company.services.clock.now())
    assert phone.enrol(code).status_code == 403


def test_a_known_device_id_with_another_key_or_person_is_taken(
    phone: Phone, company: Company
) -> None:
    user = company.user()
    assert phone.enrol(issue_code(company, user)).status_code == 200
    other_key = Phone(phone.client, phone.id, key=Ed25519PrivateKey.from_private_bytes(b"o" * 32))
    answer = other_key.enrol(issue_code(company, user))
    assert (answer.status_code, answer.json["code"]) == (409, "device_taken")  # type: ignore[index]
    assert phone.enrol(issue_code(company, company.user())).status_code == 409
    assert phone.enrol(issue_code(company, user)).status_code == 200


def test_five_wrong_codes_from_an_address_shut_it_out_for_ten_minutes(
    phone: Phone, company: Company, clock: FixedClock
) -> None:
    for _ in range(5):
        assert phone.enrol("AAAAAAAAAA").status_code == 403
    answer = phone.enrol(issue_code(company, company.user()))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "600"
    clock.advance(minutes=10)
    assert phone.enrol(issue_code(company, company.user())).status_code == 200


def test_good_codes_do_not_use_up_the_tries_of_an_address(
    client: FlaskClient, company: Company
) -> None:
    for _ in range(7):
        fresh = Phone(client, company.services.ids.new())
        assert fresh.enrol(issue_code(company, company.user())).status_code == 200


def test_a_p256_key_enrols_and_refreshes(phone: Phone, company: Company) -> None:
    key = P256Key(ec.derive_private_key(4711, ec.SECP256R1()))
    public = {"alg": "es256", "key": key.public}
    assert phone.enrol(issue_code(company, company.user()), public_key=public).status_code == 200
    token = phone.tokens["refresh_token"]
    proof = key.sign(proof_message(ORIGIN, token, "r1"))
    assert phone.refresh(token, "r1", proof=proof).status_code == 200


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"public_key": {"alg": "es256", "key": "AAAA"}}, "public_key.key", "has the wrong form"),
        ({"public_key": {"alg": "rsa", "key": "AAAA"}}, "public_key.alg", "is not one of"),
        ({"device": None}, "device", "may not be null"),
        ({"role": "administrator"}, "role", "is not known"),
        ({"code": 5}, "code", "has the wrong type"),
    ],
)
def test_attack_3_what_a_body_may_not_hold_is_named_field_by_field(
    phone: Phone, company: Company, given: dict[str, Any], field: str, words: str
) -> None:
    body = phone.about(code="AAAAAAAAAA") | given
    answer = phone.client.post(
        "/v1/auth/enrol", json=body, headers={"Accept-Language": "en-GB,en;q=0.9"}
    )
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["fields"][field].startswith(words)


def test_an_address_that_the_settings_do_not_list_enrols_nobody(
    phone: Phone, company: Company
) -> None:
    body = phone.about(code=issue_code(company, company.user()))
    answer = phone.client.post("/v1/auth/enrol", json=body, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")  # type: ignore[index]


def test_a_person_with_a_password_logs_a_device_in(phone: Phone, company: Company) -> None:
    person = _with_password(company)
    answer = phone.login(person.username, PASSWORD)
    assert answer.status_code == 200
    assert company.store.get_one(Device, phone.id).user == person.id
    assert phone.me().status_code == 200


def test_attack_10_wrong_password_and_unknown_name_give_equal_answers(
    phone: Phone, company: Company
) -> None:
    person = _with_password(company)
    without = company.store.get_one(User, company.user())
    answers = [
        phone.login(name, "wrong password").json or {}
        for name in (person.username, without.username, "nobody")
    ]
    for answer in answers:
        answer.pop("request_id")
    assert answers[0]["code"] == "bad_login"
    assert answers[0] == answers[1] == answers[2]


def test_attack_10_an_unknown_name_costs_the_server_as_much_as_a_wrong_password() -> None:
    stored = passwords.hash_password(PASSWORD)
    passwords.matches(None, PASSWORD)
    spent = [time.process_time()]
    for known in (stored, None):
        assert not passwords.matches(known, "wrong password")
        spent.append(time.process_time())
    assert spent[2] - spent[1] > (spent[1] - spent[0]) / 4


def test_attack_10_guessing_at_one_account_is_slowed_down_more_and_more(
    phone: Phone, company: Company, clock: FixedClock
) -> None:
    person = _with_password(company)
    waits = []
    for _ in range(9):
        assert phone.login(person.username, "wrong password").status_code == 401
        answer = phone.login(person.username, PASSWORD)
        if answer.status_code == 429:
            waits.append(int(answer.headers["Retry-After"]))
            clock.advance(seconds=waits[-1])
        else:
            clock.advance(seconds=1)
    assert waits == sorted(waits)
    assert len(waits) >= 4


def test_attack_10_a_guesser_elsewhere_does_not_keep_a_person_out(
    phone: Phone, company: Company
) -> None:
    person = _with_password(company)
    elsewhere = phone.client.application.test_client()
    body = phone.about(username=person.username, password="wrong password")
    for _ in range(5):
        guess = elsewhere.post(
            "/v1/auth/login", json=body, environ_overrides={"REMOTE_ADDR": "192.0.2.9"}
        )
    assert guess.status_code == 429
    assert phone.login(person.username, PASSWORD).status_code == 200


def test_attack_10_guesses_from_many_addresses_are_slowed_down_too(
    phone: Phone, company: Company
) -> None:
    person = _with_password(company)
    body = phone.about(username=person.username, password="wrong password")
    statuses = [
        phone.client.post(
            "/v1/auth/login", json=body, environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"}
        ).status_code
        for number in range(31)
    ]
    assert statuses == [401] * 30 + [429]


def test_attack_10_no_more_passwords_are_hashed_at_once_than_there_are_cores(
    phone: Phone, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = _with_password(company)
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(passwords, "_slots", BoundedSemaphore(1))
    with passwords.slot():
        answer = phone.login(person.username, PASSWORD)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")  # type: ignore[index]
    assert phone.login(person.username, PASSWORD).status_code == 200


def test_attack_10_no_stranger_locks_an_account_for_more_than_15_minutes(
    phone: Phone, company: Company, clock: FixedClock
) -> None:
    person = _with_password(company)
    for _ in range(20):
        answer = phone.login(person.username, "wrong password")
        clock.advance(seconds=int(answer.headers.get("Retry-After", 0)))
    clock.advance(minutes=15)
    assert phone.login(person.username, PASSWORD).status_code == 200


def test_attack_10_spraying_over_many_accounts_slows_the_address_down(
    phone: Phone, company: Company
) -> None:
    statuses = [phone.login(f"guess{number}", "wrong password").status_code for number in range(21)]
    assert statuses == [401] * 20 + [429]


def test_passwords_are_argon2id_with_46_mib_and_8_to_256_characters(
    client: FlaskClient, company: Company
) -> None:
    person = _with_password(company)
    assert (person.password or "").startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    for unusable in ("seven77", "x" * 257):
        with pytest.raises(Problem, match="validation"):
            passwords.hash_password(unusable)


def test_an_old_hash_is_renewed_at_login(phone: Phone, company: Company) -> None:
    person = _with_password(company)
    with transaction(company.store):
        weaker = passwords.PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
        company.store.get_one(User, person.id).password = weaker.hash(PASSWORD)
    assert phone.login(person.username, PASSWORD).status_code == 200
    company.store.expire_all()
    renewed = company.store.get_one(User, person.id).password
    assert "m=47104" in (renewed or "")


def test_a_revoked_device_is_not_enrolled_again(phone: Phone, company: Company) -> None:
    user = company.user()
    phone.enrol(issue_code(company, user))
    with transaction(company.store):
        device = devices.need_device(company.store, phone.id)
        devices.revoke(company.store, device, erase="all", now=company.services.clock.now())
    answer = phone.enrol(issue_code(company, user))
    assert (answer.status_code, answer.json["code"]) == (403, "device_revoked")  # type: ignore[index]
