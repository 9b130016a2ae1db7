"""The chain of a device: content, digest, signature, and the checks of what the server signs.

Pure but for the keys it is handed. Formats are those of protocol 1, section *Seal*.
"""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from fieldstamp import _wire

FIRST = "0" * 64

_SEAL = b"fieldstamp-seal-1\n"
_ACK = b"fieldstamp-ack-1\n"
_PHOTO_ACK = b"fieldstamp-photo-1\n"
_REFRESH = b"fieldstamp-refresh-1\n"
_FORK = b"fieldstamp-fork-1\n"


class Ed25519Key:
    """A device key held in memory; ``secret`` are its 32 private bytes."""

    alg = "ed25519"

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._key.sign(message)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as the wire carries it."""

    alg: str
    key: str

    def verifies(self, signature: str, message: bytes) -> bool:
        """Whether ``signature`` (base64url) is this key's over ``message``."""
        try:
            self._verify(_wire.from_base64(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _verify(self, signature: bytes, message: bytes) -> None:
        raw = _wire.from_base64(self.key)
        if self.alg == "ed25519":
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
            return
        if self.alg != "es256" or len(signature) != 64:
            raise InvalidSignature
        point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
        pair = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        point.verify(encode_dss_signature(*pair), message, ECDSA(hashes.SHA256()))


def digest(content: bytes, prev: str) -> str:
    """The digest (hex) of a mutation's canonical bytes, linked to its predecessor's digest."""
    link = bytes.fromhex(prev) + hashlib.sha256(content).digest()
    return _wire.sha256_hex(_SEAL + link)


def is_acknowledgement(ack: _wire.JsonObject, key: PublicKey) -> bool:
    """Whether the server signed this statement about a mutation."""
    return _is_signed(_ACK, ack, key)


def is_photo_acknowledgement(ack: _wire.JsonObject, key: PublicKey) -> bool:
    """M4: whether the server signed that it holds these bytes."""
    return _is_signed(_PHOTO_ACK, ack, key)


def _is_signed(domain: bytes, statement: _wire.JsonObject, key: PublicKey) -> bool:
    unsigned = {name: value for name, value in statement.items() if name != "sig"}
    try:
        message = domain + hashlib.sha256(_wire.encode(unsigned)).digest()
    except _wire.WireError:
        return False
    return key.verifies(str(statement.get("sig")), message)


def refresh_message(*, origin: str, refresh_token: str, rotation: str) -> bytes:
    """What a device signs to prove that a refresh is its own."""
    spent = _wire.sha256_hex(refresh_token.encode())
    return _REFRESH + f"{origin}\n{spent}\n{rotation}".encode()


def fork_message(*, origin: str, device: str, public_key: bytes) -> bytes:
    """What a device signs so that ``device`` with that key goes on in its place."""
    return _FORK + f"{origin}\n{device}\n{_wire.sha256_hex(public_key)}".encode()
