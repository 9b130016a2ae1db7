"""Devices and the codes that enrol them: one person, one store, one key, bound for ever.

Callers hold the transaction.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.ids import IdMaker
from server.people import audit
from server.people.keys import PublicKey
from server.people.tables import Device, EnrolCode, User

CODE_LIFE = timedelta(minutes=10)
Erase = Literal["scopes", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaim:
    """What a device says about itself when it enrols."""

    id: str
    name: str
    platform: str
    app: str
    key: PublicKey
    origin: str


def hash_code(code: str) -> str:
    """How a code is stored; typed in any case, with spaces or dashes."""
    plain = "".join(code.split()).replace("-", "").upper()
    return hashlib.sha256(plain.encode()).hexdigest()


def issue_code(store: Store, ids: IdMaker, user: User, *, now: datetime) -> str:
    """A fresh code for a device of ``user``; it lives ten minutes and enrols one device."""
    code = ids.code()
    expires = now + CODE_LIFE
    store.add(EnrolCode(code_hash=hash_code(code), user=user.id, expires_at=expires))
    audit.note(store, "code_issued", at=now, user=user.id)
    return code


def live_code(store: Store, code: str, *, now: datetime) -> EnrolCode:
    """The row of a code that has not expired, locked. *Raises* ``code_unusable``."""
    row = store.get(EnrolCode, hash_code(code), with_for_update=True)
    if row is None or now >= row.expires_at:
        raise Problem("code_unusable")
    return row


def bind(store: Store, claim: DeviceClaim, *, user: str, now: datetime) -> Device:
    """The device of ``claim``, stored on first sight.

    *Raises* ``device_taken`` where its id is known with another user or key, ``device_revoked``
    for a revoked one.
    """
    device = store.get(Device, claim.id, with_for_update=True)
    if device is None:
        return _store_device(store, claim, user=user, now=now)
    if (device.user, device.alg, device.public_key) != (user, claim.key.alg, claim.key.raw):
        raise Problem("device_taken")
    if device.revoked_at is not None:
        raise Problem("device_revoked", extra={"erase": device.erase})
    device.name, device.platform, device.app = claim.name, claim.platform, claim.app
    device.origin = claim.origin
    return device


def _store_device(store: Store, claim: DeviceClaim, *, user: str, now: datetime) -> Device:
    device = Device(
        id=claim.id,
        user=user,
        name=claim.name,
        platform=claim.platform,
        app=claim.app,
        origin=claim.origin,
        alg=claim.key.alg,
        public_key=claim.key.raw,
        enrolled_at=now,
    )
    store.add(device)
    store.flush()
    audit.note(store, "device_enrolled", at=now, user=user, device=device.id)
    return device


def list_devices(store: Store, *, user: str | None = None) -> list[Device]:
    """All devices, or those of one person, oldest first."""
    wanted = select(Device).order_by(Device.enrolled_at, Device.id)
    return list(store.scalars(wanted if user is None else wanted.where(Device.user == user)))


def need_device(store: Store, device: str) -> Device:
    """The device with that id. *Raises* ``not_found``."""
    row = store.get(Device, device)
    if row is None:
        raise Problem("not_found", detail=f"There is no device {device}.")
    return row


def revoke(store: Store, device: Device, *, erase: Erase, now: datetime) -> None:
    """Ends what a device may read, from its next request on; it may still hand in its work."""
    if device.revoked_at is None:
        device.revoked_at = now
    device.erase = erase
    audit.note(store, "device_revoked", at=now, user=device.user, device=device.id)
