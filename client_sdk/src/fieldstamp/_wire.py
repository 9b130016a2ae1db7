"""Canonical JSON, strict decoding and hashes, as protocol 1 defines them. No I/O, no protocol flow.

Sorted compact JSON equals RFC 8785 here because the contract admits only lower-case member names,
whole numbers within 2**53 - 1 and well-formed strings.
"""

import base64
import datetime
import decimal
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

PROTOCOL = 1
LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32

JsonObject: TypeAlias = dict[str, Any]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HALF = re.compile(rb"\\u[dD]")
"""What may be a lone surrogate, which no other bytes of an answer can be."""
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")


class WireError(ValueError):
    """A value or a text that the contract does not admit; ``path`` says where in a value."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def encode(value: object) -> bytes:
    """The canonical bytes of ``value``. Raises WireError where there are none."""
    check(value)
    return dump(value)


def dump(value: object) -> bytes:
    """Sorted compact JSON of a value that was checked before."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def decode(raw: bytes) -> Any:
    """The value of ``raw``, refusing whatever has no canonical form. Raises WireError."""
    value = _load(raw, whole_numbers=True)
    check(value)
    return value


def decode_answer(raw: bytes) -> JsonObject:
    """The object in an answer's body; envelopes may hold other numbers. Raises WireError."""
    value = _load(raw, whole_numbers=False)
    if not isinstance(value, dict):
        raise WireError("not an object")
    if _HALF.search(raw):
        _need_text(value)
    return value


def _need_text(value: JsonObject) -> None:
    try:
        dump(value)
    except UnicodeEncodeError as error:
        raise WireError("a lone surrogate is not text") from error


def check(value: object, path: str = "", depth: int = 0) -> None:
    """Raises WireError where ``value`` has no canonical form."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise WireError("whole numbers end at 2**53 - 1", path)
    elif isinstance(value, list | dict):
        _check_nested(value, path, depth + 1)
    else:
        raise WireError(f"{type(value).__name__} has no place on the wire", path)


def _check_nested(value: list[Any] | dict[Any, Any], path: str, depth: int) -> None:
    if depth > DEEPEST:
        raise WireError(f"nested deeper than {DEEPEST}", path)
    members: Iterable[tuple[object, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value)
    )
    for name, member in members:
        if isinstance(value, dict) and not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise WireError(f"{name!r} is not a member name", path)
        check(member, f"{path}.{name}" if path else str(name), depth)


def _check_text(text: str, path: str) -> None:
    if "\0" in text:
        raise WireError("NUL is not text", path)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise WireError("a lone surrogate is not text", path)


def _load(raw: bytes, *, whole_numbers: bool) -> Any:
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer if whole_numbers else None,
            parse_float=_refuse if whole_numbers else None,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, WireError) else WireError("not JSON") from error


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise WireError("a member is named twice")
    return members


def _integer(token: str) -> int:
    if not _WHOLE.fullmatch(token) or len(token) > 17:
        _refuse(token)
    return int(token)


def _refuse(token: str) -> NoReturn:
    raise WireError(f"{token} is not a number of the contract")


def plain(value: object, path: str = "") -> Any:
    """Turns Python's own types into wire values: Decimal, UUID, dates and aware times to strings.

    Raises WireError for floats (use Decimal), naive times, null (unset the field instead) and
    everything else that has no canonical form.
    """
    if isinstance(value, Mapping):
        return {str(name): plain(member, _join(path, name)) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member, _join(path, place)) for place, member in enumerate(value)]
    if value is None:
        raise WireError("null is refused: unset the field instead", path)
    if isinstance(value, float):
        raise WireError("floats are refused: use Decimal", path)
    return _scalar(value, path)


def _scalar(value: object, path: str) -> Any:
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise WireError("not a finite number", path)
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise WireError("a time without an offset says nothing", path)
        return value.isoformat()
    if isinstance(value, datetime.date | uuid.UUID):
        return str(value)
    check(value, path)
    return value


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def sha256_hex(raw: bytes) -> str:
    """Lower-case hex SHA-256 of ``raw``."""
    return hashlib.sha256(raw).hexdigest()


def record_hash(data: JsonObject) -> str:
    """The first 16 hex digits that name the content of a record's data."""
    return sha256_hex(dump(data))[:16]


def scope_sum(members: Iterable[tuple[str, int, str]]) -> tuple[int, str]:
    """P7: count and sum over (record, version, hash) of the live records held in one scope."""
    count, total = 0, 0
    for record, version, content in members:
        count += 1
        mark = hashlib.sha256(f"{record}:{version}:{content}".encode()).digest()
        total += int.from_bytes(mark[:8], "big")
    return count, f"{total % 2**64:016x}"


def to_base64(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """The bytes of base64url without padding, in its one spelling. Raises WireError."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise WireError("not base64url") from error
    if to_base64(raw) != text:
        raise WireError("not base64url without padding")
    return raw
