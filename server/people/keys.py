"""Public keys of devices and signatures made with them. Pure."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHMS = ("ed25519", "es256")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``raw``: 32 bytes (ed25519) or an uncompressed SEC1 point (es256, P-256)."""

    alg: str
    raw: bytes


def to_base64url(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Reads base64url without padding. Raises ``ValueError`` for anything else."""
    content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if to_base64url(content) != text:
        raise ValueError("not base64url without padding")
    return content


def read_key(alg: str, text: str) -> PublicKey:
    """The key that ``text`` (base64url) holds. Raises ``ValueError`` where it holds none."""
    key = PublicKey(alg, from_base64url(text))
    if alg == "ed25519":
        Ed25519PublicKey.from_public_bytes(key.raw)
    elif alg == "es256" and key.raw[:1] == b"\x04":
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.raw)
    else:
        raise ValueError("not a key of a known algorithm")
    return key


def is_signed(key: PublicKey, message: bytes, signature: str) -> bool:
    """Whether ``signature`` (base64url; r‖s for es256) is ``key``'s over ``message``."""
    try:
        _verify(key, message, from_base64url(signature))
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify(key: PublicKey, message: bytes, signature: bytes) -> None:
    if key.alg == "ed25519":
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
        return
    if len(signature) != 64:
        raise InvalidSignature
    halves = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.raw)
    hashed = hashlib.sha256(message).digest()
    point.verify(encode_dss_signature(*halves), hashed, ECDSA(Prehashed(SHA256())))
