"""Saving: an intended change becomes a sealed, immutable mutation in one local transaction.

Nothing here touches the network, and nothing here changes what was saved before.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldstamp import _kinds, _moves, _replica, _seal, _wire
from fieldstamp._errors import IllegalMoveError, InvalidFieldsError, NotEnrolledError
from fieldstamp._ports import Clock, Entropy, KeyStore
from fieldstamp._store import Transaction
from fieldstamp._system import uuid7
from fieldstamp._values import Position, Record

_REFUSALS = {
    _moves.NOT_IN_STATE: "is not possible in this state",
    _moves.NOT_YOUR_ROLE: "is for another role to do",
}
_LARGEST_MUTATION = 256 * 1024
_LARGEST_GROUP = 100
_MEMBERS = frozenset({"after", "resolves", "restores", "strict"})
"""What a caller may add to a change beside its fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The version and epoch an edit started from."""

    version: int = 0
    epoch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One change before it is sealed. ``extra`` holds after, resolves, restores and strict."""

    action: str
    kind: str
    record: str
    base: Base = Base()
    set: Mapping[str, Any] = field(default_factory=dict)
    unset: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


class Sealer:
    """Turns intents into sealed rows of the one chain of this device."""

    def __init__(self, *, clock: Clock, entropy: Entropy, keys: KeyStore, app: str) -> None:
        self._clock = clock
        self._entropy = entropy
        self._keys = keys
        self._app = app

    def new_id(self) -> str:
        """A fresh UUIDv7."""
        return uuid7(self._clock.now(), self._entropy.secret(10))

    def save(
        self, transaction: Transaction, intents: Sequence[Intent], *, grouped: bool = True
    ) -> list[int]:
        """Seals ``intents`` in order, together; returns their places in the queue.

        More than one form a group, unless they are not ``grouped``. Raises NotEnrolledError, or
        InvalidFieldsError with nothing saved at all.
        """
        shared = _shared(transaction)
        if grouped and len(intents) > _LARGEST_GROUP:
            raise InvalidFieldsError(f"at most {_LARGEST_GROUP} changes go together")
        if grouped and len(intents) > 1:
            shared["group"] = {"id": self.new_id(), "of": len(intents)}
        return [self._save_one(transaction, intent, shared) for intent in intents]

    def _save_one(self, transaction: Transaction, intent: Intent, shared: _wire.JsonObject) -> int:
        wanted = _plain(intent)
        _check_kind(transaction, intent, wanted)
        place, n, prev = _next_link(transaction)
        body = {**shared, **wanted, **self._captured(transaction), "id": self.new_id(), "n": n}
        body["app"] = self._app
        body["base"] = intent.base.version
        body["epoch"] = intent.base.epoch or shared["epoch"]
        raw = _canonical(body)
        _check_size(transaction, raw)
        self._insert(transaction, body, raw, place=place, prev=prev)
        return place

    def _insert(
        self,
        transaction: Transaction,
        body: _wire.JsonObject,
        raw: bytes,
        *,
        place: int,
        prev: str,
    ) -> None:
        digest = _seal.digest(raw, prev)
        key = self._keys.device_key(body["device"])
        signature = _wire.to_base64(key.sign(bytes.fromhex(digest)))
        transaction.run(
            "INSERT INTO mutation (n, id, action, kind, record, lane, bundle, body, digest, seal,"
            " saved_at, restores) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            place,
            body["id"],
            body["action"],
            body["kind"],
            body["record"],
            _lane(transaction, body),
            body.get("group", {}).get("id"),
            raw,
            digest,
            _wire.dump({"prev": prev, "sig": signature}),
            body["captured"]["wall"],
            _settled(body),
        )

    def _captured(self, transaction: Transaction) -> _wire.JsonObject:
        """P9: recorded beside the server's time, ordering and permitting nothing."""
        now, monotonic, boot = self._clock.now(), self._clock.monotonic_ms(), self._clock.boot()
        offset = offset_ms(transaction, now=now, monotonic_ms=monotonic, boot=boot)
        wall = now.isoformat(timespec="milliseconds")
        claim = {"wall": wall, "monotonic_ms": monotonic, "boot": boot, "offset_ms": offset}
        return {"captured": claim}


_UNKNOWN = _kinds.Kind(name="")


def _lane(transaction: Transaction, body: _wire.JsonObject) -> int:
    """By what this change says; where it is silent, by the record as this device has it."""
    kind = _replica.kinds(transaction).get(body["kind"], _UNKNOWN)
    told = dict.fromkeys(body.get("unset", ())) | body.get("set", {})
    if kind.urgent_field is None or kind.urgent_field in told:
        return kind.lane_of(told)
    held = _replica.find(transaction, body["record"])
    return kind.lane_of(held.data if held else {})


def _settled(body: _wire.JsonObject) -> str | None:
    """The conflict or parked mutation that a mutation settles."""
    restored = body.get("restores", {})
    return (
        restored.get("parked")
        or restored.get("conflict")
        or next(iter(body.get("resolves", ())), None)
    )


def chain_start(transaction: Transaction) -> int:
    """The place in the queue behind which the chain of the present device begins."""
    return int(transaction.value("chain_start") or 0)


def start_chain(transaction: Transaction) -> None:
    """What is saved from now on is the chain of a new device, from its first link."""
    newest = transaction.one("SELECT coalesce(max(n), 0) FROM mutation")
    transaction.keep("chain_start", newest[0] if newest else 0)


def _next_link(transaction: Transaction) -> tuple[int, int, str]:
    """Place in the queue, number in the chain, and digest of the link before."""
    start = chain_start(transaction)
    last = transaction.one("SELECT n, digest FROM mutation ORDER BY n DESC LIMIT 1")
    if last is None:
        return 1, 1, _seal.FIRST
    place = last[0] + 1
    return place, place - start, _seal.FIRST if last[0] == start else last[1]


def offset_ms(
    transaction: Transaction, *, now: datetime.datetime, monotonic_ms: int, boot: str
) -> int:
    """Estimated server time minus this device's wall time, in milliseconds.

    Within one boot the estimate follows the monotonic clock, so that setting the wall clock
    between two syncs shows.
    """
    heard = transaction.value("server_time")
    if heard is None:
        return 0
    if heard["boot"] != boot:
        return int(heard["server_ms"] - heard["wall_ms"])
    passed = monotonic_ms - heard["monotonic_ms"]
    return int(heard["server_ms"] + passed - int(now.timestamp() * 1000))


def _shared(transaction: Transaction) -> _wire.JsonObject:
    account, hello = transaction.value("account"), transaction.value("hello")
    if account is None or hello is None:
        raise NotEnrolledError("this store has not been in contact with its server yet")
    return {
        "device": account["device"],
        "user": account["user"],
        "epoch": hello["epoch"],
        "schema": hello["schema"],
    }


def _plain(intent: Intent) -> _wire.JsonObject:
    wanted: _wire.JsonObject = {
        "action": intent.action,
        "kind": intent.kind,
        "record": intent.record,
        **intent.extra,
    }
    if intent.set or intent.action == "create":
        wanted["set"] = _plain_fields(intent.set)
    if intent.unset:
        wanted["unset"] = sorted(set(intent.unset))
    strange = intent.extra.keys() - _MEMBERS
    if strange:
        raise InvalidFieldsError(
            f"a change has no member {', '.join(sorted(strange))}: fields stand in `fields`",
            fields=dict.fromkeys(strange, "is no member of a change"),
        )
    both = set(intent.set) & set(intent.unset)
    if both:
        raise InvalidFieldsError(
            "a field is both set and unset", fields=dict.fromkeys(both, "is both set and unset")
        )
    return wanted


def _plain_fields(values: Mapping[str, Any]) -> _wire.JsonObject:
    given = {name: _reference(value) for name, value in values.items()}
    errors: dict[str, str] = {}
    plain: _wire.JsonObject = {}
    for name, value in given.items():
        try:
            plain[name] = _wire.plain(value)
        except _wire.WireError as error:
            errors[f"{name}.{error.path}" if error.path else name] = error.reason
    if errors:
        raise InvalidFieldsError("some values cannot be saved: " + _listed(errors), fields=errors)
    return plain


def _reference(value: Any) -> Any:
    if isinstance(value, Record):
        return value.id
    return value.wire() if isinstance(value, Position) else value


def _check_kind(transaction: Transaction, intent: Intent, wanted: _wire.JsonObject) -> None:
    kind = _replica.kinds(transaction).get(intent.kind)
    if kind is None or intent.action == "withdraw":
        return
    errors = kind.errors_of(wanted.get("set", {}), whole=intent.action == "create")
    if errors:
        raise InvalidFieldsError(
            f"this {intent.kind} cannot be saved: {_listed(errors)}", fields=errors
        )
    if kind.states:
        _check_move(transaction, intent, wanted.get("set", {}), kind.states)


def _check_move(
    transaction: Transaction, intent: Intent, wanted: _wire.JsonObject, states: _moves.States
) -> None:
    """What is known not to lead on is refused here, before it is sealed."""
    codes = (
        _moves.refused_at_birth(states, wanted)
        if intent.action == "create"
        else _refused_moves(transaction, intent.record, wanted, states)
    )
    if codes:
        errors = {name: _REFUSALS[code] for name, code in codes.items()}
        raise IllegalMoveError(f"this {intent.kind}: {_listed(errors)}", fields=errors)


def _refused_moves(
    transaction: Transaction, record: str, wanted: _wire.JsonObject, states: _moves.States
) -> dict[str, str]:
    held = _replica.find(transaction, record)
    if held is None or not _moves.triggers(states) & wanted.keys():
        return {}
    account = transaction.value("account") or {}
    laid = _replica.laid_over(transaction, record)
    stands = _moves.state_after(states, str(held.data.get("state")), laid)
    roles, is_own = (
        frozenset(account.get("roles", ())),
        held.data.get("sender") == account.get("user"),
    )
    mover = _moves.Mover(roles=roles, is_own=is_own)
    return _moves.refused(states, {**held.data, "state": stands}, wanted, mover)


def _check_size(transaction: Transaction, raw: bytes) -> None:
    limits = (transaction.value("hello") or {}).get("limits", {})
    largest = limits.get("mutation_bytes", _LARGEST_MUTATION)
    if len(raw) > largest:
        raise InvalidFieldsError(
            f"one change may have {largest} bytes, this one has {len(raw)}", code="too_large"
        )


def _canonical(body: _wire.JsonObject) -> bytes:
    try:
        return _wire.encode(body)
    except _wire.WireError as error:
        field_path = error.path.removeprefix("set.")
        raise InvalidFieldsError(str(error), fields={field_path: error.reason}) from error


def _listed(errors: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {reason}" for name, reason in sorted(errors.items()))


def is_id(text: object) -> bool:
    """Whether ``text`` is an id in its usual form."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        return False
