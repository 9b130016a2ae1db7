"""Canonical JSON, and hashes, as the wire writes them. Pure."""

import hashlib
from typing import Any

import orjson


def canonical(value: Any) -> bytes:
    """Sorted compact JSON; equal to RFC 8785 for what the wire admits (no floats, ASCII names)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def record_hash(data: bytes) -> str:
    """P7: the first 16 hex digits that name the content of a record; ``data`` as canonical JSON."""
    return sha256_hex(data)[:16]


def sha256_hex(content: bytes) -> str:
    """Lower-case hex of SHA-256."""
    return hashlib.sha256(content).hexdigest()
