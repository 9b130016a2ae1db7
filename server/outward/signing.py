"""Secrets of hooks, and signatures as Standard Webhooks 1.0.0 makes them. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "whsec_"
SECRET_BYTES = 32
PURPOSE = b"fieldstamp secrets of hooks"


def keyring(secrets: Sequence[str]) -> MultiFernet:
    """Encrypts what is stored of hooks; every live secret of the installation still decrypts."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(secret))) for secret in secrets])


def _derive(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())


def write_secret(raw: bytes) -> str:
    """The form in which a secret is shown once, and which receivers' libraries read."""
    return PREFIX + base64.b64encode(raw).decode()


def sign(secret: str, event: str, timestamp: int, body: str) -> str:
    """``webhook-signature`` over ``event.timestamp.body``; ``timestamp`` in seconds since 1970."""
    raw = base64.b64decode(secret.removeprefix(PREFIX))
    content = f"{event}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(raw, content, hashlib.sha256).digest()).decode()


def headers(secret: str, event: str, timestamp: int, body: str) -> dict[str, str]:
    """What a receiver needs to prove that the body is ours, whole and fresh."""
    return {
        "webhook-id": event,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, event, timestamp, body),
    }
