"""Canonical JSON, hashes and base64url as the wire writes them. Pure."""

import base64
import hashlib
from typing import Any

import orjson


def canonical(value: Any) -> bytes:
    """Sorted compact JSON; equal to RFC 8785 for what the wire admits (no floats, ASCII names)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256_hex(content: bytes) -> str:
    """Lower-case hex of SHA-256."""
    return hashlib.sha256(content).hexdigest()


def to_base64url(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Reads base64url without padding. Raises ``ValueError`` for anything else."""
    content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if to_base64url(content) != text:
        raise ValueError("not base64url without padding")
    return content
