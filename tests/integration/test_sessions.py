"""Refresh, revocation and access tokens, on both databases."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from server.api.access import signing_keys
from server.app import create_app
from server.db import transaction
from server.errors import Problem
from server.extensions import db
from server.people import devices, refresh, sessions, users
from server.people.keys import to_base64url
from server.people.refresh import Issuer, RefreshRequest, Renewed
from server.people.tables import AuditEntry, RoleGrant, Session, User
from tests.company import ORIGIN, Company, FixedClock
from tests.phones import Phone, issue_code


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    phone = Phone(client, company.services.ids.new())
    assert phone.enrol(issue_code(company, company.user())).status_code == 200
    return phone


def _code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, (answer.json or {}).get("code", "")


def _noted(company: Company) -> list[str]:
    company.store.rollback()
    return list(company.store.scalars(select(AuditEntry.what).order_by(AuditEntry.key)))


def _revoke(company: Company, phone: Phone) -> None:
    with transaction(company.store):
        device = devices.need_device(company.store, phone.id)
        devices.revoke(company.store, device, erase="scopes", now=company.services.clock.now())


def test_a_refresh_brings_a_successor_that_can_be_refreshed_again(phone: Phone) -> None:
    first = phone.tokens["refresh_token"]
    assert phone.refresh(first, "r1").status_code == 200
    second = phone.tokens["refresh_token"]
    assert second != first
    assert phone.refresh(second, "r2").status_code == 200
    assert phone.me().status_code == 200


def test_attack_8_a_refresh_whose_answer_was_lost_gets_the_same_successor_however_late(
    phone: Phone, clock: FixedClock
) -> None:
    first = phone.tokens["refresh_token"]
    phone.refresh(first, "r1")
    lost = phone.tokens["refresh_token"]
    clock.advance(days=40)
    assert phone.refresh(first, "r1").status_code == 200
    assert phone.tokens["refresh_token"] == lost
    assert phone.me().status_code == 200


def test_a_token_whose_successor_was_used_is_spent_and_nothing_is_revoked(phone: Phone) -> None:
    first = phone.tokens["refresh_token"]
    phone.refresh(first, "r1")
    second = phone.tokens["refresh_token"]
    phone.refresh(second, "r2")
    assert _code(phone.refresh(first, "r1")) == (401, "token_spent")
    assert phone.me().status_code == 200
    assert phone.refresh(phone.tokens["refresh_token"], "r3").status_code == 200


def test_attack_7_another_rotation_on_a_spent_token_revokes_the_family(
    phone: Phone, company: Company
) -> None:
    first = phone.tokens["refresh_token"]
    phone.refresh(first, "r1")
    assert _code(phone.refresh(first, "stolen")) == (401, "unauthenticated")
    assert _code(phone.me()) == (401, "unauthenticated")
    assert _code(phone.refresh(phone.tokens["refresh_token"], "r2")) == (401, "unauthenticated")
    assert "family_revoked" in _noted(company)


def test_a_bad_proof_is_401_and_noted_and_revokes_nothing(phone: Phone, company: Company) -> None:
    first = phone.tokens["refresh_token"]
    phone.refresh(first, "r1")
    thief = Phone(phone.client, phone.id, key=Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    assert _code(thief.refresh(first, "stolen")) == (401, "bad_proof")
    assert _code(phone.refresh(first, "r1", proof="AAAA")) == (401, "bad_proof")
    assert _code(phone.refresh(first, "r1", proof="not base64url!")) == (401, "bad_proof")
    assert phone.me().status_code == 200
    assert phone.refresh(phone.tokens["refresh_token"], "r2").status_code == 200
    assert _noted(company).count("bad_proof") == 3


def test_a_proof_for_another_origin_is_bad(phone: Phone) -> None:
    token = phone.tokens["refresh_token"]
    message = refresh.proof_message("https://evil.example", token, "r1")
    proof = to_base64url(phone.key.sign(message))
    assert _code(phone.refresh(token, "r1", proof=proof)) == (401, "bad_proof")


def test_a_token_of_one_device_is_no_use_to_another(phone: Phone, company: Company) -> None:
    other = Phone(
        phone.client,
        company.services.ids.new(),
        key=Ed25519PrivateKey.from_private_bytes(b"o" * 32),
    )
    other.enrol(issue_code(company, company.user()))
    assert _code(other.refresh(phone.tokens["refresh_token"], "r1")) == (401, "bad_proof")
    assert phone.refresh(phone.tokens["refresh_token"], "r1").status_code == 200


def test_an_unknown_token_with_a_good_proof_means_log_in_again(phone: Phone) -> None:
    assert _code(phone.refresh("unheard of", "r1")) == (401, "unauthenticated")


def test_a_session_ends_after_45_idle_days_and_after_90_days_in_all(
    phone: Phone, clock: FixedClock
) -> None:
    clock.advance(days=44)
    assert phone.refresh(phone.tokens["refresh_token"], "r1").status_code == 200
    clock.advance(days=44)
    assert phone.refresh(phone.tokens["refresh_token"], "r2").status_code == 200
    clock.advance(days=2)
    assert _code(phone.refresh(phone.tokens["refresh_token"], "r3")) == (401, "unauthenticated")


def test_an_idle_session_ends_after_45_days(phone: Phone, clock: FixedClock) -> None:
    clock.advance(days=45)
    assert _code(phone.refresh(phone.tokens["refresh_token"], "r1")) == (401, "unauthenticated")


def test_logout_ends_the_session_at_once(phone: Phone) -> None:
    headers = {"Authorization": f"Bearer {phone.tokens['access_token']}"}
    answer = phone.client.post("/v1/auth/logout", headers=headers)
    assert (answer.status_code, answer.data) == (204, b"")
    assert _code(phone.me()) == (401, "unauthenticated")
    assert _code(phone.refresh(phone.tokens["refresh_token"], "r1")) == (401, "unauthenticated")


def test_an_access_token_lives_ten_minutes(phone: Phone, clock: FixedClock) -> None:
    clock.advance(minutes=9, seconds=59)
    assert phone.me().status_code == 200
    clock.advance(seconds=1)
    assert _code(phone.me()) == (401, "unauthenticated")


def test_attack_9_a_revoked_device_is_told_to_erase_on_its_next_request(
    phone: Phone, company: Company
) -> None:
    _revoke(company, phone)
    answer = phone.me()
    assert _code(answer) == (403, "device_revoked")
    assert answer.json is not None
    assert answer.json["erase"] == "scopes"


def test_p6_a_revoked_device_may_refresh_for_14_days_to_hand_in_its_work(
    phone: Phone, company: Company, clock: FixedClock
) -> None:
    _revoke(company, phone)
    clock.advance(days=13, hours=23)
    assert phone.refresh(phone.tokens["refresh_token"], "r1").status_code == 200
    with transaction(company.store):
        session = company.store.scalars(select(Session).where(Session.device == phone.id)).one()
        terms = sessions.terms(company.services.settings, company.services.policy)
        engine = company.store.get_bind().engine
        principal = sessions.recognise(engine, session.id, now=clock.now(), terms=terms)
    assert principal.upload_only
    assert _code(phone.me()) == (403, "device_revoked")
    clock.advance(hours=1)
    answer = phone.refresh(phone.tokens["refresh_token"], "r2")
    assert _code(answer) == (403, "device_revoked")
    assert (answer.json or {})["erase"] == "scopes"


def test_attack_9_a_disabled_person_reads_nothing_more_and_may_hand_in_what_is_held(
    phone: Phone, company: Company
) -> None:
    user = (phone.me().json or {})["user"]["id"]
    with transaction(company.store):
        person = company.store.get_one(User, user)
        users.disable_user(company.store, person, now=company.services.clock.now())
    answer = phone.me()
    assert _code(answer) == (403, "device_revoked")
    assert (answer.json or {})["erase"] == "all"


def test_attack_9_a_role_taken_away_is_gone_on_the_next_request(
    phone: Phone, company: Company
) -> None:
    assert (phone.me().json or {})["roles"] == ["rep"]
    with transaction(company.store):
        for grant in company.store.scalars(select(RoleGrant)):
            company.store.delete(grant)
    assert (phone.me().json or {})["roles"] == []


def _after_restore(
    company: Company,
    phone: Phone,
    *,
    days: float,
    token: str = "given after the backup",
    **given: str,
) -> Renewed:
    """Refreshes a token that the restored store does not know, so long after the change."""
    now = company.services.clock.now()
    issuer = Issuer(
        ids=company.services.ids,
        secrets=company.services.secrets,
        terms=sessions.terms(company.services.settings, company.services.policy),
        origins=(ORIGIN,),
        epoch_changed_at=now - timedelta(days=days),
    )
    proof = to_base64url(phone.key.sign(refresh.proof_message(ORIGIN, token, "r1")))
    wanted = {"device": phone.id, "token": token, "rotation": "r1", "proof": proof} | given
    return refresh.refresh(company.store, issuer, RefreshRequest(**wanted), now=now)


def test_for_14_days_after_an_epoch_change_a_good_proof_starts_a_new_family(
    phone: Phone, company: Company
) -> None:
    renewed = _after_restore(company, phone, days=13.9)
    assert _after_restore(company, phone, days=13.9) == renewed
    assert phone.refresh(renewed.token, "r2").status_code == 200
    assert phone.me().status_code == 200
    with pytest.raises(Problem, match="unauthenticated"):
        _after_restore(company, phone, days=14.0, token="another one")


def test_after_an_epoch_change_a_bad_proof_and_a_revoked_device_get_nothing(
    phone: Phone, company: Company
) -> None:
    with pytest.raises(Problem, match="bad_proof"):
        _after_restore(company, phone, days=1, proof="AAAA")
    _revoke(company, phone)
    with pytest.raises(Problem, match="unauthenticated"):
        _after_restore(company, phone, days=1)


def test_a_new_secret_logs_nobody_out_and_loses_no_answer(
    phone: Phone, company: Company, clock: FixedClock
) -> None:
    first = phone.tokens["refresh_token"]
    phone.refresh(first, "r1")
    old_access, lost = phone.tokens["access_token"], phone.tokens["refresh_token"]
    settings = company.services.settings
    secrets = settings.data / "secret.key"
    secrets.write_text("n" * 128 + "\n" + secrets.read_text())
    renewed = create_app(settings, clock=clock)
    phone.client = renewed.test_client()
    assert phone.me(old_access).status_code == 200
    assert phone.refresh(first, "r1").status_code == 200
    assert phone.tokens["refresh_token"] == lost
    assert phone.refresh(lost, "r2").status_code == 200
    assert phone.me().status_code == 200
    with renewed.app_context():
        db.engine.dispose()


def _forge(
    company: Company,
    phone: Phone,
    *,
    claims: dict[str, Any] | None = None,
    without: str = "",
    header: dict[str, Any] | None = None,
    algorithm: str = "HS256",
) -> str:
    kid, key = next(iter(signing_keys(company.services.secrets).items()))
    now = int(company.services.clock.now().timestamp())
    session = company.store.scalars(select(Session.id).where(Session.device == phone.id)).one()
    body: dict[str, Any] = {
        "sub": session,
        "type": "access",
        "iss": "fieldstamp",
        "aud": "fieldstamp-device",
        "iat": now,
        "exp": now + 60,
    } | (claims or {})
    body.pop(without, None)
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid} | (header or {}))


def test_a_forged_token_with_nothing_wrong_would_be_taken(phone: Phone, company: Company) -> None:
    assert phone.me(_forge(company, phone)).status_code == 200


@pytest.mark.parametrize(
    "forgery",
    [
        {"algorithm": "HS512"},
        {"claims": {"aud": "fieldstamp-office"}},
        {"claims": {"iss": "somebody"}},
        {"claims": {"type": "refresh"}},
        {"without": "aud"},
        {"without": "iss"},
        {"without": "sub"},
        {"claims": {"sub": "unknown session"}},
        {"claims": {"sub": "x\u0000y"}},
    ],
)
def test_attack_5_tokens_of_another_make_are_401(
    phone: Phone, company: Company, forgery: dict[str, Any]
) -> None:
    assert _code(phone.me(_forge(company, phone, **forgery))) == (401, "unauthenticated")


def _raw_token(header: dict[str, Any], claims: dict[str, Any], key: str | None) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part(header)}.{part(claims)}"
    mac = b"" if key is None else hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_attack_5_alg_none_and_a_whole_number_as_subject_are_401(
    phone: Phone, company: Company
) -> None:
    good = _forge(company, phone)
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    unsigned = _raw_token(header | {"alg": "none"}, claims, None)
    assert _code(phone.me(unsigned)) == (401, "unauthenticated")
    key = next(iter(signing_keys(company.services.secrets).values()))
    numbered = _raw_token(header, claims | {"sub": 5}, key)
    assert _code(phone.me(numbered)) == (401, "unauthenticated")


@pytest.mark.parametrize("given", ["refresh_token", "rotation"])
def test_attack_5_a_refresh_token_is_no_access_token(phone: Phone, given: str) -> None:
    assert _code(phone.me(phone.tokens.get(given, "r1"))) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "forgery",
    [
        {"header": {"kid": "unknown"}},
        {"header": {"kid": "../../../dev/null"}},
        {"header": {"kid": ""}},
        {"without": "exp"},
        {"claims": {"exp": "tomorrow"}},
        {"claims": {"exp": True}},
        {"claims": {"padding": "x" * 200_000}},
    ],
)
def test_attack_6_odd_key_ids_missing_expiry_and_huge_tokens_are_401(
    phone: Phone, company: Company, forgery: dict[str, Any]
) -> None:
    assert _code(phone.me(_forge(company, phone, **forgery))) == (401, "unauthenticated")


def test_attack_6_keys_named_in_the_header_are_not_fetched_or_believed(
    phone: Phone, company: Company
) -> None:
    good = _forge(company, phone)
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    own = base64.urlsafe_b64encode(b"own key").decode()
    for trick in ({"jku": "https://evil.example/keys"}, {"jwk": {"kty": "oct", "k": own}}):
        header = {"alg": "HS256", "typ": "JWT", "kid": kid} | trick
        assert _code(phone.me(_raw_token(header, claims, "own key"))) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer ..."]
)
def test_a_malformed_authorization_header_is_401(client: FlaskClient, value: str) -> None:
    answer = client.get("/v1/auth/me", headers={"Authorization": value})
    assert _code(answer) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_browser_session_lives_30_idle_minutes_and_is_stored_hashed(
    company: Company, clock: FixedClock
) -> None:
    user = company.user()
    with transaction(company.store):
        secret = sessions.open_browser(
            company.store, company.services.ids, user=user, now=clock.now()
        )
    stored = company.store.scalars(select(Session.browser_hash)).one()
    assert stored != secret
    clock.advance(minutes=29)
    assert sessions.recognise_browser(company.store, secret, now=clock.now()).user == user
    clock.advance(minutes=29)
    assert sessions.recognise_browser(company.store, secret, now=clock.now()).user == user
    clock.advance(minutes=30)
    with pytest.raises(Problem, match="unauthenticated"):
        sessions.recognise_browser(company.store, secret, now=clock.now())
