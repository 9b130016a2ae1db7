"""What the server may say, checked for shape before anything is believed. Pure.

"Synced" must never come from an answer that only looks like one: whatever does not have the shape
of protocol 1 raises PortalError and changes nothing.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldstamp import _seal, _wire
from fieldstamp._errors import (
    AppTooOldError,
    DeviceRevokedError,
    FieldstampError,
    LoginNeededError,
    PortalError,
    RefusedError,
    ServerBusyError,
    ServerFailedError,
    TooLargeError,
)
from fieldstamp._ports import Response

FINAL = frozenset({"applied", "merged", "conflict", "rejected"})
_OUTCOMES = FINAL | {"waiting"}
_TOKEN = re.compile(r"[!-~]+")
_BUSY_AGAIN_S = 30.0
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an answer says about one mutation."""

    id: str
    outcome: str | None
    """None: nothing was stored, send it again after ``after_s`` seconds."""
    after_s: float = 0
    version: int | None = None
    data: _wire.JsonObject | None = None
    data_version: int | None = None
    problem: _wire.JsonObject | None = None
    ack: _wire.JsonObject | None = None
    raw: _wire.JsonObject = field(default_factory=dict)


def body_of(response: Response) -> _wire.JsonObject:
    """The JSON object of an answer. Raises PortalError for anything else, whatever its status."""
    if "json" not in response.headers.get("content-type", ""):
        raise PortalError("the answer is not from the server: it is not JSON")
    try:
        return _wire.decode_answer(response.body)
    except _wire.WireError as error:
        raise PortalError(f"the answer is not from the server: {error}") from error


def refusal(response: Response) -> FieldstampError:
    """The error that an answer without success stands for."""
    status = response.status
    if status in {429, 503}:
        wait = retry_after(response)
        return ServerBusyError("the server is busy", retry_after_s=wait, request_id=None)
    if "problem+json" not in response.headers.get("content-type", ""):
        return _foreign(status)
    try:
        problem = body_of(response)
    except PortalError as error:
        return error
    return _refused(status, problem)


def _foreign(status: int) -> FieldstampError:
    if status == 413:
        return TooLargeError("something on the way refuses a body of this size")
    if status >= 500 and status != 511:
        return ServerFailedError(f"the server answered {status}")
    return PortalError(f"the answer ({status}) is not from the server")


def _refused(status: int, problem: _wire.JsonObject) -> FieldstampError:
    code, title = str(problem.get("code", status)), str(problem.get("title", f"status {status}"))
    request_id = _text_or_none(problem.get("request_id"))
    if code == "device_revoked":
        erase = str(problem.get("erase", "scopes"))
        return DeviceRevokedError(title, erase=erase, request_id=request_id)
    if status == 413:
        return TooLargeError(title, limit=str(problem.get("limit", "")), request_id=request_id)
    kinds: Mapping[int, type[FieldstampError]] = {401: LoginNeededError, 426: AppTooOldError}
    kind = kinds.get(status, ServerFailedError if status >= 500 else RefusedError)
    fields = problem.get("fields")
    return kind(
        title,
        code=code,
        retryable=bool(problem.get("retryable", False)),
        action=_text_or_none(problem.get("action")),
        request_id=request_id,
        fields=fields if isinstance(fields, dict) else None,
    )


def retry_after(response: Response) -> float:
    """Seconds that ``Retry-After`` asks for, within an hour."""
    text = response.headers.get("retry-after", "")
    wait = float(text) if text.isdecimal() else _BUSY_AGAIN_S
    return min(wait, _LONGEST_WAIT_S)


def read_hello(body: _wire.JsonObject) -> _wire.JsonObject:
    """The parts of ``hello`` that this device relies on."""
    _need_protocol(typed(body, "protocol", dict))
    return {
        "epoch": text_of(body, "epoch"),
        "schema": typed(body, "schema", int),
        "limits": {
            name: most for name, most in typed(body, "limits").items() if (_whole(most) or 0) > 0
        },
        "min_app": body.get("min_app"),
        "backoff": seconds(body),
        "server_time": milliseconds(text_of(body, "server_time")),
    }


def _need_protocol(spoken: _wire.JsonObject) -> None:
    low, high = typed(spoken, "min", int), typed(spoken, "max", int)
    if not low <= _wire.PROTOCOL <= high:
        raise AppTooOldError(f"the server speaks protocol {low} to {high}")


def read_kinds(body: _wire.JsonObject) -> _wire.JsonObject:
    """The kinds and policy lists, kept as they came."""
    typed(body, "kinds", list)
    return body


def read_account(body: _wire.JsonObject) -> _wire.JsonObject:
    """What enrolling or logging in brought."""
    key = body.get("server_key")
    key = {"alg": "ed25519", "key": key} if isinstance(key, str) else typed(body, "server_key")
    user = body.get("user")
    named: _wire.JsonObject = user if isinstance(user, dict) else {"id": user}
    return {
        "user": text_of(named, "id"),
        "name": str(named.get("name", "")),
        "server_key": {"alg": text_of(key, "alg"), "key": text_of(key, "key")},
        "roles": [role for role in listed(body, "roles") if isinstance(role, str)],
        "scopes": listed(body, "scopes"),
        "tokens": read_tokens(body),
    }


def read_tokens(body: _wire.JsonObject) -> _wire.JsonObject:
    """A pair of tokens."""
    tokens = {"access": text_of(body, "access_token"), "refresh": text_of(body, "refresh_token")}
    if not all(map(_TOKEN.fullmatch, tokens.values())):
        raise PortalError("the answer is not from the server: no header can carry its tokens")
    return tokens


def read_results(body: _wire.JsonObject) -> tuple[str, dict[str, Result]]:
    """Epoch and results by mutation id of a push."""
    if body.get("protocol") != _wire.PROTOCOL:
        raise PortalError("the answer to a push is not of this protocol")
    results = typed(body, "results", list)
    return text_of(body, "epoch"), {
        entry["id"]: _result(entry)
        for entry in results
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def _result(entry: _wire.JsonObject) -> Result:
    outcome = _text_or_none(entry.get("outcome"))
    if outcome not in _OUTCOMES:
        return Result(id=entry["id"], outcome=None, after_s=seconds(entry, "after"), raw=entry)
    ack = _object(entry.get("ack"))
    return Result(
        id=entry["id"],
        outcome=outcome,
        version=_whole(entry.get("version", ack.get("version") if ack else None)),
        data=_whole_data(entry),
        data_version=_whole(entry.get("data_version")),
        problem=_problem(entry.get("problem")),
        ack=ack,
        raw={name: value for name, value in entry.items() if name != "data"},
    )


def _problem(told: object) -> _wire.JsonObject | None:
    """What is told to people for as long as it stands: of the shape that they are told it in."""
    problem = _object(told)
    if problem is None:
        return None
    texts = {name: text for name, text in problem.items() if isinstance(text, str)}
    return texts | {"fields": _object(problem.get("fields")) or {}}


def _whole_data(entry: _wire.JsonObject) -> _wire.JsonObject | None:
    """P7: what changed on its way is not taken over; a pull brings it."""
    data = _object(entry.get("data"))
    return data if data is not None and _wire.record_hash(data) == entry.get("hash") else None


def is_acknowledged(result: Result, *, digest: str, key: _seal.PublicKey) -> bool:
    """Whether the server signed this very outcome of this very mutation.

    Where the id is known with other content there is nothing of ours to sign.
    """
    ack = result.ack
    if ack is None:
        return (result.problem or {}).get("code") == "mutation_reused"
    stated = (ack.get("id"), ack.get("outcome"), ack.get("digest"))
    is_of_this = stated == (result.id, result.outcome, digest)
    # P7: an own edit stays laid over the record until this version is here.
    is_signed = result.raw.get("version", ack.get("version")) == ack.get("version")
    return is_of_this and is_signed and _seal.is_acknowledgement(ack, key)


def read_photo_acks(body: _wire.JsonObject, key: _seal.PublicKey) -> list[_wire.JsonObject]:
    """The photo acknowledgements of an answer that the server signed."""
    told = [entry for entry in typed(body, "acknowledgements", list) if isinstance(entry, dict)]
    return [ack for ack in told if _seal.is_photo_acknowledgement(ack, key)]


def milliseconds(text: str) -> int:
    """A time of the server as milliseconds since 1970."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise PortalError("the answer holds no time") from error
    if moment.tzinfo is None:
        raise PortalError("the answer holds a time without an offset")
    return int(moment.timestamp() * 1000)


def seconds(body: _wire.JsonObject, name: str = "backoff") -> float:
    """A wait in seconds, 0 where none is asked for, an hour at most."""
    value = body.get(name, 0)
    known = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(min(value, _LONGEST_WAIT_S)) if known else 0.0


def typed(body: Any, name: str, kind: type = dict) -> Any:
    """The member ``name``, of that type. Raises PortalError where it is not there."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind) or (kind is int and _whole(value) is None):
        raise PortalError(f"the answer is not from the server: {name} is missing")
    return value


def listed(body: _wire.JsonObject, name: str) -> list[Any]:
    """The list ``name``, empty where there is none. Raises PortalError where it is no list."""
    return list(typed(body, name, list)) if body.get(name) is not None else []


def text_of(body: Any, name: str) -> str:
    """The text ``name``. Raises PortalError where it is not there."""
    return str(typed(body, name, str))


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= _wire.LARGEST_INTEGER else None


def _object(value: object) -> _wire.JsonObject | None:
    return value if isinstance(value, dict) else None
