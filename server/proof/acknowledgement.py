"""The server's signed statement about a mutation, computed from its stored row alone. Pure."""

import hashlib
import hmac
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_seed_keypair

from server.people.keys import to_base64url
from server.proof.encoding import canonical
from server.values import Value

DOMAIN = b"fieldstamp-ack-1\n"


class Acknowledged(Value, frozen=True):
    """The members of the stored row that an acknowledgement states."""

    id: str
    digest: str | None
    epoch: str
    outcome: str
    version: int | None
    received_at: str


def sign(key: Ed25519PrivateKey, domain: bytes, statement: dict[str, object]) -> str:
    """Signature (base64url) over ``domain`` ‖ SHA-256 of the canonical statement."""
    message = domain + hashlib.sha256(canonical(statement)).digest()
    return to_base64url(crypto_sign(message, _secret_of(key))[:crypto_sign_BYTES])


@lru_cache(maxsize=8)
def _secret_of(key: Ed25519PrivateKey) -> bytes:
    """``key`` for libsodium, which signs in 60 % of the time: each mutation is acknowledged."""
    return crypto_sign_seed_keypair(key.private_bytes_raw())[1]


def is_own(
    key: Ed25519PrivateKey, domain: bytes, statement: dict[str, object], signature: str
) -> bool:
    """Whether this server signed ``statement``: signing again gives the same, and no other."""
    return hmac.compare_digest(sign(key, domain, statement).encode(), signature.encode())


def acknowledge(key: Ed25519PrivateKey, row: Acknowledged) -> dict[str, object]:
    """The acknowledgement of ``row``; Ed25519 is deterministic, so each replay is equal (P2)."""
    statement: dict[str, object] = {
        "id": row.id,
        "digest": row.digest,
        "epoch": row.epoch,
        "outcome": row.outcome,
        "version": row.version,
        "received_at": row.received_at,
    }
    return {**statement, "sig": sign(key, DOMAIN, statement)}
