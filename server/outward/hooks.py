"""Hooks: added, listed, removed and replayed by an administrator. Callers hold the transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from server.errors import Problem
from server.outward import signing
from server.outward.calling import Refused, choose_address, read_target
from server.outward.catalogue import TYPES
from server.outward.engine import Outward
from server.outward.fanning import TRIED_FOR, delivery, wants
from server.outward.tables import Delivery, Event, Hook
from server.people import audit

TOKEN_BYTES = 32
CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A new hook; secret and token are shown now and never again."""

    id: str
    secret: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a hook stands."""

    id: str
    url: str
    types: tuple[str, ...]
    kinds: tuple[str, ...]
    stopped_at: datetime | None
    waiting: int
    """Deliveries under way."""
    given_up: int
    last: str
    """What came of the newest try."""


def add_hook(
    session: Session,
    outward: Outward,
    url: str,
    *,
    types: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> Added:
    """Adds a hook for events from now on; ``types`` and ``kinds`` empty: all.

    *Raises* ``validation`` for an address that is not called, and for types and kinds that do
    not exist.
    """
    _check(outward, url, types, kinds)
    now, raw = outward.clock.now(), outward.ids.secret(signing.SECRET_BYTES)
    secret, token = signing.write_secret(raw), outward.ids.secret(TOKEN_BYTES).hex()
    hook = Hook(
        id=outward.ids.new(),
        url=url,
        types=orjson.dumps(list(types)).decode(),
        kinds=orjson.dumps(list(kinds)).decode(),
        secret=outward.keys.encrypt(secret.encode()).decode(),
        token_hash=_hash(token),
        created_at=now,
    )
    session.add(hook)
    audit.note(session, "hook_added", at=now, record=hook.id)
    return Added(id=hook.id, secret=secret, token=token)


def _check(outward: Outward, url: str, types: Sequence[str], kinds: Sequence[str]) -> None:
    wrong: dict[str, str] = {}
    try:
        choose_address(read_target(url, outward.wishes.allow), outward.network)
    except Refused as refusal:
        raise Problem("validation", detail=str(refusal), fields={"url": "address"}) from refusal
    if not set(types) <= set(TYPES):
        wrong["type"] = "choice"
    if not set(kinds) <= outward.registry.kinds.keys():
        wrong["kind"] = "choice"
    if wrong:
        raise Problem("validation", fields=wrong)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def recognise(session: Session, token: str) -> Hook | None:
    """The hook whose token this is, also one that was stopped: it may still read what it missed."""
    return session.scalar(select(Hook).where(Hook.token_hash == _hash(token)))


def need_hook(session: Session, hook: str) -> Hook:
    """The hook with that id. *Raises* ``not_found``."""
    found = session.get(Hook, hook)
    if found is None:
        raise Problem("not_found", detail=f"There is no hook {hook}.")
    return found


def list_hooks(session: Session) -> list[Standing]:
    """Every hook with what is on its way to it, the oldest first."""
    return [_standing(session, hook) for hook in session.scalars(select(Hook).order_by(Hook.id))]


def _standing(session: Session, hook: Hook) -> Standing:
    mine = Delivery.hook == hook.id
    under_way = Delivery.settled_at.is_(None)
    given_up = Delivery.settled_at.is_not(None) & Delivery.arrived.is_(False)
    tried = select(Delivery.answer).where(mine, Delivery.tries > 0)
    counted = select(func.count()).select_from(Delivery).where(mine)
    return Standing(
        id=hook.id,
        url=hook.url,
        types=tuple(orjson.loads(hook.types)),
        kinds=tuple(orjson.loads(hook.kinds)),
        stopped_at=hook.stopped_at,
        waiting=session.scalar(counted.where(under_way)) or 0,
        given_up=session.scalar(counted.where(given_up)) or 0,
        last=session.scalar(tried.order_by(Delivery.key.desc()).limit(1)) or "",
    )


def remove_hook(session: Session, outward: Outward, hook: str) -> None:
    """Removes a hook and what is on its way to it; its events stay. *Raises* ``not_found``."""
    found = need_hook(session, hook)
    session.delete(found)
    audit.note(session, "hook_removed", at=outward.clock.now(), record=found.id)


def replay(session: Session, outward: Outward, hook: str, *, after: int) -> int:
    """Sends again what was issued behind ``after``, under the same ids; how many events.

    A hook that was stopped is started by this. *Raises* ``not_found``.
    """
    found, now = need_hook(session, hook), outward.clock.now()
    found.stopped_at = None
    known = set(session.scalars(select(Delivery.event).where(Delivery.hook == hook)))
    issued = select(Event).where(Event.seq > after).order_by(Event.seq)
    wanted = [
        event.key
        for event in session.scalars(issued.execution_options(yield_per=CHUNK))
        if wants(found, event.type, orjson.loads(event.body or "")["data"]["kind"])
    ]
    again = {"next_at": now, "expires_at": now + TRIED_FOR, "settled_at": None, "arrived": False}
    for start in range(0, len(wanted), CHUNK):
        some = wanted[start : start + CHUNK]
        mine = (Delivery.hook == hook) & Delivery.event.in_(some)
        session.execute(update(Delivery).where(mine).values(tries=0, **again))
        session.add_all(delivery(key, now, hook=hook) for key in some if key not in known)
    audit.note(session, "hook_replayed", at=now, record=hook)
    return len(wanted)
