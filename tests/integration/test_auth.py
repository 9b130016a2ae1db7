"""Devices and sessions over HTTP, on both databases."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from server.db import transaction
from server.people import devices
from server.people.keys import to_base64url
from server.people.tables import User
from tests.company import Company


def _body(company: Company, code: str, seed: int = 7) -> dict[str, Any]:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return {
        "code": code,
        "device": {
            "id": company.services.ids.new(),
            "name": "phone",
            "platform": "android",
            "app": "1.0.0",
        },
        "public_key": {
            "alg": "ed25519",
            "key": to_base64url(key.public_key().public_bytes_raw()),
        },
    }


def _code(company: Company, user: str) -> str:
    with transaction(company.store):
        person = company.store.get_one(User, user)
        now = company.services.clock.now()
        return devices.issue_code(company.store, company.services.ids, person, now=now)


def test_a_code_enrols_a_device_and_its_token_names_the_person(
    client: FlaskClient, company: Company
) -> None:
    user = company.user()
    answer = client.post("/v1/auth/enrol", json=_body(company, _code(company, user)))
    assert answer.status_code == 200, answer.json
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    me = client.get("/v1/auth/me", headers=headers)
    assert me.json["user"]["id"] == user
    assert me.json["roles"] == ["rep"]
