"""A copied or rolled-back store goes on under a device of its own, by the old device's proof.

Whether there was a fork is seen by the record engine and handed in. Callers hold the transaction.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.people import devices
from server.people.devices import DeviceClaim
from server.people.keys import PublicKey, is_signed
from server.people.tables import Device

PROOF = "fieldstamp-fork-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """The device that a copy was sealed under, and its signature for the new one.

    ``seen_at``: when the last second mutation at one place of its chain was received, if any.
    """

    device: str
    proof: str
    seen_at: datetime | None


def proof_message(origin: str, claim: DeviceClaim) -> bytes:
    """What the old device signs: that the device of ``claim``, with its key, goes on for it."""
    key = hashlib.sha256(claim.key.raw).hexdigest()
    return f"{PROOF}\n{origin}\n{claim.id}\n{key}".encode()


def bind_successor(
    store: Store, fork: Fork, claim: DeviceClaim, *, origins: tuple[str, ...], now: datetime
) -> Device:
    """The device of ``claim``, stored on first sight; asked again, the same one.

    *Raises* ``bad_proof``; ``device_revoked`` where the old device is; ``forbidden`` where there
    is no fork that nobody went on from; ``device_taken``.
    """
    old = store.get(Device, fork.device, with_for_update=True)
    if old is None or not _is_proven(old, fork, claim, origins):
        raise Problem("bad_proof")
    if old.revoked_at is not None:
        raise Problem("device_revoked", extra={"erase": old.erase})
    known = store.get(Device, claim.id)
    if (known is None or known.forked_from != old.id) and not _is_open(store, fork):
        raise Problem("forbidden")
    device = devices.bind(store, claim, user=old.user, now=now)
    if known is None:
        device.forked_from = old.id
    return device


def _is_proven(old: Device, fork: Fork, claim: DeviceClaim, origins: tuple[str, ...]) -> bool:
    if old.origin not in origins:
        return False
    key = PublicKey(old.alg, old.public_key)
    return is_signed(key, proof_message(old.origin, claim), fork.proof)


def _is_open(store: Store, fork: Fork) -> bool:
    """Once per fork: it was seen after the last device that went on from it was enrolled."""
    last = store.scalar(
        select(func.max(Device.enrolled_at)).where(Device.forked_from == fork.device)
    )
    return fork.seen_at is not None and (last is None or fork.seen_at > last)
