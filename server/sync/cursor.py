"""The opaque place in the feed that a device keeps: signed, bound to its user and device."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Self

from itsdangerous import BadSignature, URLSafeSerializer

SALT = "fieldstamp-cursor-1"
ENDINGS = frozenset("AEIMQUYcgkosw048")
"""How 32 bytes may end in base64url; a touched ending can read the same, and is refused."""
REMEMBERED = 4096
"""Cursors that a process need not sign, or read, again: an idle device brings the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A scope gained: the rows at or below ``until`` are still to come, newest first."""

    scope: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Everything up to ``seq`` was handed out, in all ``scopes`` that are not in a back-fill."""

    epoch: str
    user: str
    device: str | None
    seq: int
    stretch: str
    """In which stretch of the feed ``seq`` was a place."""
    floor: int
    """What had been removed from the feed when this cursor began."""
    scopes: frozenset[str]
    backfills: tuple[Backfill, ...] = ()

    @lru_cache(maxsize=REMEMBERED)  # noqa: B019 (a cursor is a value, and the cache is bounded)
    def write(self, secret: str) -> str:
        """The cursor as the device keeps it."""
        fields = [
            self.epoch,
            self.user,
            self.device,
            self.seq,
            self.stretch,
            self.floor,
            sorted(self.scopes),
            [[fill.scope, fill.until] for fill in self.backfills],
        ]
        return serializer(secret, SALT).dumps(fields)

    @classmethod
    @lru_cache(maxsize=REMEMBERED)
    def read(cls, secret: str, text: str) -> Self | None:
        """The cursor in ``text``; None where this server did not sign it."""
        if text[-1:] not in ENDINGS:
            return None
        try:
            fields: Any = serializer(secret, SALT).loads(text)
            epoch, user, device, seq, stretch, floor, scopes, backfills = fields
        except (BadSignature, ValueError):
            return None
        return cls(
            epoch=epoch,
            user=user,
            device=device,
            seq=seq,
            stretch=stretch,
            floor=floor,
            scopes=frozenset(scopes),
            backfills=tuple(Backfill(scope=scope, until=until) for scope, until in backfills),
        )

    def at(self, seq: int) -> Self:
        """The same cursor further on."""
        return replace(self, seq=seq)


@cache
def serializer(secret: str, salt: str) -> URLSafeSerializer:
    """Signs what a device keeps for the server, and reads nothing else."""
    return URLSafeSerializer(secret, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})
