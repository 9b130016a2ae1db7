"""Logins of devices and browsers: opened, recognised on every request, refreshed, ended."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, Select, bindparam, select
from sqlalchemy.orm import Session as Store

from server.db import as_moment, glancing, transaction
from server.errors import Problem
from server.ids import IdMaker
from server.people import audit, rights
from server.people.keys import PublicKey
from server.people.principal import Principal
from server.people.tables import Device, Session, User
from server.policy import Policy
from server.rows import Row, Rows, as_text
from server.settings import Settings

BROWSER_IDLE = timedelta(minutes=30)
BROWSER_LIFE = timedelta(hours=12)
BROWSER_TOUCH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a session lives, and how long a revoked device may hand in its work."""

    idle: timedelta
    absolute: timedelta
    revoked_upload: timedelta


def terms(settings: Settings, policy: Policy) -> Terms:
    """The terms that settings and policy state."""
    return _terms(
        settings.session_idle_days, settings.session_days, policy.sync.revoked_upload_days
    )


@lru_cache(maxsize=8)
def _terms(idle: int, absolute: int, revoked_upload: int) -> Terms:
    """The same from days; every request asks."""
    return Terms(
        idle=timedelta(days=idle),
        absolute=timedelta(days=absolute),
        revoked_upload=timedelta(days=revoked_upload),
    )


def _select_known() -> Select[Any]:
    login, person, device = Session.__table__, User.__table__, Device.__table__
    known = (
        select(
            *(login.c.user, login.c.device, login.c.created_at, login.c.used_at, login.c.ended_at),
            *(person.c.name, person.c.home_region, person.c.zone, person.c.disabled_at),
            *(device.c.alg, device.c.public_key, device.c.revoked_at, device.c.erase),
            *rights.GRANT,
        )
        .join(person, person.c.id == login.c.user)
        .outerjoin(device, device.c.id == login.c.device)
        .where(login.c.id == bindparam("session"))
    )
    return rights.with_grants(known, login.c.user)


KNOWN = as_text(_select_known())
"""A session with its person, device and grants: every request asks, and asks once."""

BROWSER = Terms(idle=BROWSER_IDLE, absolute=BROWSER_LIFE, revoked_upload=timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the tables say of a session; of ``ended_at`` it counts only whether there is one."""

    created_at: datetime
    used_at: datetime
    ended_at: object
    disabled: bool
    revoked_at: datetime | None
    principal: Principal


def open_session(
    store: Store, ids: IdMaker, *, user: str, device: str | None, now: datetime
) -> Session:
    """A new session of ``user``; the caller's transaction stores it."""
    session = Session(id=ids.new(), user=user, device=device, created_at=now, used_at=now)
    store.add(session)
    return session


def is_live(session: Session | _Known, *, now: datetime, terms: Terms) -> bool:
    """Whether ``session`` has neither ended nor run out."""
    if session.ended_at is not None:
        return False
    return now - session.used_at < terms.idle and now - session.created_at < terms.absolute


def recognise(engine: Engine, session: str, *, now: datetime, terms: Terms) -> Principal:
    """The principal of a live session, from the tables as they stand now.

    *Raises* ``unauthenticated`` for a session that ended or ran out and for a disabled user
    without a device; ``device_revoked`` where a revoked device's term to hand in work is over.
    """
    with glancing(engine) as glance:
        rows = Rows(glance).select(KNOWN, session)
    if not rows or not is_live(known := _read_known(session, rows), now=now, terms=terms):
        raise Problem("unauthenticated")
    if known.disabled and known.revoked_at is None:
        raise Problem("unauthenticated")
    if known.revoked_at is not None and now - known.revoked_at >= terms.revoked_upload:
        raise Problem("device_revoked", extra={"erase": known.principal.erase})
    return known.principal


def _read_known(session: str, rows: Sequence[Row]) -> _Known:
    user, device, created_at, used_at, ended_at = rows[0][:5]
    name, home_region, zone, disabled_at, alg, public_key, revoked_at, erase = rows[0][5:13]
    return _Known(
        created_at=as_moment(created_at),
        used_at=as_moment(used_at),
        ended_at=ended_at,
        disabled=disabled_at is not None,
        revoked_at=None if revoked_at is None else as_moment(revoked_at),
        principal=Principal(
            user=user,
            name=name,
            session=session,
            device=device,
            grants=rights.read_grants(rows),
            home_region=home_region,
            zone=zone,
            upload_only=revoked_at is not None,
            key=PublicKey(alg, public_key) if device else None,
            erase=erase,
        ),
    )


def end(store: Store, session: str, *, now: datetime) -> None:
    """Ends a session; its tokens are worth nothing from the next request on."""
    row = store.get(Session, session)
    if row is not None and row.ended_at is None:
        row.ended_at = now
        audit.note(store, "logged_out", at=now, user=row.user, device=row.device)


def open_browser(store: Store, ids: IdMaker, *, user: str, now: datetime) -> str:
    """A new back-office session; returns the secret for its cookie, which is stored hashed."""
    secret = ids.secret(32).hex()
    session = open_session(store, ids, user=user, device=None, now=now)
    session.browser_hash = _hash(secret)
    return secret


def recognise_browser(store: Store, secret: str, *, now: datetime) -> Principal:
    """The principal behind a cookie. *Raises* ``unauthenticated``.

    Ends the read transaction when it notes, once a minute, that the session is in use.
    """
    session = store.scalar(select(Session).where(Session.browser_hash == _hash(secret)))
    if session is None:
        raise Problem("unauthenticated")
    principal = recognise(store.get_bind().engine, session.id, now=now, terms=BROWSER)
    if now - session.used_at >= BROWSER_TOUCH:
        with transaction(store):
            store.get_one(Session, principal.session).used_at = now
    return principal


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
