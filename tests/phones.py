"""A phone as the wire sees it: makes the requests of *Devices and sessions* with a real key."""

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.db import transaction
from server.people import devices
from server.people.keys import to_base64url
from server.people.refresh import proof_message
from server.people.tables import User
from tests.company import ORIGIN, Company


def issue_code(company: Company, user: str) -> str:
    """A fresh code for a device of ``user``."""
    with transaction(company.store):
        person = company.store.get_one(User, user)
        now = company.services.clock.now()
        return devices.issue_code(company.store, company.services.ids, person, now=now)


@dataclass
class Phone:
    """One store with one Ed25519 key, talking to ``client``."""

    client: FlaskClient
    id: str
    key: Ed25519PrivateKey = field(
        default_factory=lambda: Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    )
    tokens: dict[str, str] = field(default_factory=dict)

    def about(self, **given: Any) -> dict[str, Any]:
        """What it says about itself, with ``given`` members added or replaced."""
        return {
            "device": {"id": self.id, "name": "phone", "platform": "android", "app": "1.0.0"},
            "public_key": {
                "alg": "ed25519",
                "key": to_base64url(self.key.public_key().public_bytes_raw()),
            },
        } | given

    def enrol(self, code: str, **given: Any) -> TestResponse:
        """Enrols with a code and keeps the tokens of a good answer."""
        return self._keep(self.client.post("/v1/auth/enrol", json=self.about(code=code, **given)))

    def login(self, username: str, password: str, **given: Any) -> TestResponse:
        """Logs in with a password and keeps the tokens of a good answer."""
        body = self.about(username=username, password=password, **given)
        return self._keep(self.client.post("/v1/auth/login", json=body))

    def refresh_body(self, token: str, rotation: str) -> dict[str, Any]:
        """A request to refresh ``token``, with a proof by this phone's key."""
        proof = self.key.sign(proof_message(ORIGIN, token, rotation))
        return {
            "device": self.id,
            "refresh_token": token,
            "rotation": rotation,
            "proof": to_base64url(proof),
        }

    def refresh(self, token: str, rotation: str, **given: Any) -> TestResponse:
        """Refreshes ``token`` and keeps the tokens of a good answer."""
        body = self.refresh_body(token, rotation) | given
        return self._keep(self.client.post("/v1/auth/refresh", json=body))

    def me(self, token: str | None = None) -> TestResponse:
        """Asks who it is, with its newest access token or ``token``."""
        used = self.tokens["access_token"] if token is None else token
        return self.client.get("/v1/auth/me", headers={"Authorization": f"Bearer {used}"})

    def _keep(self, answer: TestResponse) -> TestResponse:
        if answer.status_code == 200 and answer.json is not None:
            self.tokens = {name: answer.json[name] for name in ("access_token", "refresh_token")}
        return answer


@dataclass(frozen=True, slots=True)
class P256Key:
    """A P-256 key as phone key stores hold it; signs as r‖s."""

    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> str:
        """The uncompressed point, base64url."""
        return to_base64url(
            self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )

    def sign(self, message: bytes) -> str:
        """The signature over ``message``, base64url."""
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(SHA256())))
        return to_base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
