"""Mutations and outcomes as values, and how they are read from the wire. Pure."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

from server.ids import is_uuid7
from server.proof.encoding import canonical, sha256_hex
from server.proof.seal import Link, digest_of
from server.values import Value

PROTOCOL = 1
MAX_BATCH = 500
"""Mutations in one push (PROTOCOL *push*)."""
MAX_GROUP = 100
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
HASH = re.compile(r"[0-9a-f]{64}")
SIGNATURE = re.compile(r"[A-Za-z0-9_-]{80,100}")
ACTIONS = frozenset({"create", "patch", "withdraw"})

OutcomeName = Literal["applied", "merged", "conflict", "rejected", "waiting"]
NESTED = frozenset({dict, list})
KEPT = frozenset({"conflict", "parked"})
"""What ``restores`` may name beside a version."""
FINAL = frozenset({"applied", "merged", "conflict", "rejected"})


class Unreadable(ValueError):
    """A mutation without a usable id: nothing can be answered or kept under it."""


class Seal(Value, frozen=True):
    """The proof made at capture; hex digest of the predecessor and base64url signature."""

    prev: str
    sig: str


class Group(Value, frozen=True):
    """Mutations that are decided together."""

    id: str
    of: int


class Mutation(Value, frozen=True):
    """One intended change. ``body`` is the canonical JSON that its seal covers."""

    id: str
    user: str
    device: str | None
    n: int | None
    epoch: str | None
    action: str
    kind: str
    record: str
    base: int
    set: Mapping[str, Any] = {}
    unset: tuple[str, ...] = ()
    after: str | None = None
    group: Group | None = None
    strict: bool = False
    restores: Mapping[str, Any] | None = None
    resolves: tuple[str, ...] = ()
    body: str = ""
    content: str = ""
    seal: Seal | None = None
    digest: str | None = None
    """The digest that the seal signs, computed here; None without a seal."""
    captured: Mapping[str, Any] = {}
    """When and where by the device's own account; orders nothing (P9)."""
    forked: bool = False
    """Another mutation stands at its place in the device's chain: a copied or rolled-back store."""
    malformed: Mapping[str, str] = {}
    """Members that are not of the wire's form: the mutation is rejected and kept."""

    @property
    def writer(self) -> str | None:
        """The device of the own-edit rule: a forked mutation counts as another device's."""
        return f"{self.device}~fork" if self.forked else self.device


class Outcome(Value, frozen=True):
    """What became of a mutation. ``code`` and ``fields_wrong`` say why it was rejected."""

    name: OutcomeName
    version: int | None = None
    fields: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    code: str | None = None
    fields_wrong: Mapping[str, str] = {}
    cause: str | None = None
    waits_for: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether it can never become another."""
        return self.name in FINAL


def rejected(
    code: str, fields: Mapping[str, str] | None = None, *, cause: str | None = None
) -> Outcome:
    """A refusal; what was sent is parked. ``cause``: the mutation that brought it about."""
    return Outcome(name="rejected", code=code, fields_wrong=fields or {}, cause=cause)


def waiting(*awaited: str) -> Outcome:
    """Kept until what it waits for arrives."""
    return Outcome(name="waiting", waits_for=awaited)


def read_mutation(raw: object, *, user: str, device: str | None) -> Mutation:
    """Reads one mutation; what is wrong with it stands in ``malformed``.

    ``user`` and ``device`` are the sender's and fill in where the mutation names none. Raises
    :class:`Unreadable` where there is no id to answer to.
    """
    if not isinstance(raw, dict) or not is_uuid7(raw.get("id")):
        raise Unreadable
    sealed = dict(raw)
    sealed.pop("seal", None)
    body = canonical(sealed)
    wrong = _wrong_members(raw)
    read = {name: value for name, value in raw.items() if name not in wrong} if wrong else raw
    content, seal = sha256_hex(body), Seal(**read["seal"]) if "seal" in read else None
    return Mutation(
        id=raw["id"],
        user=read.get("user", user),
        device=read.get("device", device),
        n=read.get("n"),
        epoch=read.get("epoch"),
        action=read.get("action", ""),
        kind=read.get("kind", ""),
        record=read.get("record", ""),
        base=read.get("base", 0),
        set=read.get("set", {}),
        unset=tuple(read.get("unset", ())),
        after=read.get("after"),
        group=Group(**read["group"]) if read.get("group") else None,
        strict=read.get("strict", False),
        restores=read.get("restores"),
        resolves=tuple(read.get("resolves", ())),
        body=body.decode(),
        content=content,
        seal=seal,
        digest=digest_of(seal.prev, content) if seal else None,
        captured=read.get("captured", {}),
        malformed=wrong,
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@lru_cache(maxsize=4096)
def _fits(name: str) -> bool:
    """Whether a member name has the wire's form; the same few come again and again."""
    return NAME.fullmatch(name) is not None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _fits(value)


@lru_cache(maxsize=4096)
def _all_fit(names: tuple[str, ...]) -> bool:
    """The same for the members of an object; most objects of a kind have the same ones."""
    return all(map(_fits, names))


@lru_cache(maxsize=1024)
def _is_person(text: str) -> bool:
    """Whether ``text`` is an id, for those that stand in every mutation of a push."""
    return is_uuid7(text)


def _is_sender(value: object) -> bool:
    return isinstance(value, str) and _is_person(value)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(_is_name(name) for name in value)


def _is_set(value: object) -> bool:
    return isinstance(value, dict) and _names_fit(value)


def _names_fit(value: object) -> bool:
    """Whether every member name in ``value`` sorts alike in all languages."""
    if isinstance(value, dict):
        if not _all_fit(tuple(value)):
            return False
        value = value.values()
    elif not isinstance(value, list):
        return True
    return NESTED.isdisjoint(map(type, value)) or all(map(_names_fit, value))


def _is_ids(value: object) -> bool:
    return isinstance(value, list) and all(is_uuid7(entry) for entry in value)


def _is_group(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"id", "of"} or not is_uuid7(value["id"]):
        return False
    return _is_count(value["of"]) and 2 <= value["of"] <= MAX_GROUP


def _is_seal(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"prev", "sig"}:
        return False
    prev, sig = value["prev"], value["sig"]
    if not isinstance(prev, str) or not isinstance(sig, str):
        return False
    return HASH.fullmatch(prev) is not None and SIGNATURE.fullmatch(sig) is not None


def _is_epoch(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 40


def _is_restores(value: object) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    [(name, target)] = value.items()
    return _is_count(target) if name == "version" else name in KEPT and is_uuid7(target)


MEMBERS: Mapping[str, Any] = {
    "user": _is_sender,
    "device": _is_sender,
    "n": lambda value: _is_count(value) and value >= 1,
    "epoch": _is_epoch,
    "action": _is_name,
    "kind": _is_name,
    "record": is_uuid7,
    "base": _is_count,
    "set": _is_set,
    "unset": _is_names,
    "after": is_uuid7,
    "group": _is_group,
    "strict": lambda value: isinstance(value, bool),
    "restores": _is_restores,
    "resolves": _is_ids,
    "seal": _is_seal,
    "captured": _is_set,
}
NEEDED = ("action", "kind", "record")


def _wrong_members(raw: Mapping[str, Any]) -> dict[str, str]:
    wrong = dict.fromkeys([name for name in NEEDED if name not in raw], "required")
    for name, value in raw.items():
        right = MEMBERS.get(name)
        if right is not None and not right(value):
            wrong[name] = "format"
    unset = raw.get("unset")
    if wrong or not unset:
        return wrong
    return dict.fromkeys(set(raw.get("set", ())) & set(unset), "both")


def links_of(mutations: Iterable[Mutation]) -> dict[str, Link]:
    """The sealed ones as links of their device's chain, by mutation id."""
    return {
        mutation.id: Link(
            n=mutation.n,
            prev=mutation.seal.prev,
            content=mutation.content,
            digest=mutation.digest,
            sig=mutation.seal.sig,
        )
        for mutation in mutations
        if mutation.seal is not None and mutation.digest and mutation.n is not None
    }
