"""Logins of devices and browsers: opened, recognised on every request, refreshed, ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.ids import IdMaker
from server.people import rights
from server.people.principal import Principal
from server.people.tables import Device, Session, User
from server.policy import Policy
from server.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a session lives, and how long a revoked device may hand in its work."""

    idle: timedelta
    absolute: timedelta
    revoked_upload: timedelta


def terms(settings: Settings, policy: Policy) -> Terms:
    """The terms that settings and policy state."""
    return Terms(
        idle=timedelta(days=settings.session_idle_days),
        absolute=timedelta(days=settings.session_days),
        revoked_upload=timedelta(days=policy.sync.revoked_upload_days),
    )


def open_session(
    store: Store, ids: IdMaker, *, user: str, device: str | None, now: datetime
) -> Session:
    """A new session of ``user``; the caller's transaction stores it."""
    session = Session(id=ids.new(), user=user, device=device, created_at=now, used_at=now)
    store.add(session)
    return session


def is_live(session: Session, *, now: datetime, terms: Terms) -> bool:
    """Whether ``session`` has neither ended nor run out."""
    if session.ended_at is not None:
        return False
    return now - session.used_at < terms.idle and now - session.created_at < terms.absolute


def recognise(store: Store, session: str, *, now: datetime, terms: Terms) -> Principal:
    """The principal of a live session, from the tables as they stand now.

    *Raises* ``unauthenticated`` for a session that ended or ran out and for a disabled user
    without a device; ``device_revoked`` where a revoked device's term to hand in work is over.
    """
    row = store.execute(
        select(Session, User, Device)
        .join(User, User.id == Session.user)
        .outerjoin(Device, Device.id == Session.device)
        .where(Session.id == session)
    ).one_or_none()
    if row is None or not is_live(row.Session, now=now, terms=terms):
        raise Problem("unauthenticated")
    revoked = row.Device is not None and row.Device.revoked_at is not None
    if row.User.disabled_at is not None and not revoked:
        raise Problem("unauthenticated")
    if revoked and now - row.Device.revoked_at >= terms.revoked_upload:
        raise Problem("device_revoked", extra={"erase": row.Device.erase})
    return rights.principal_of(store, row.User, session=row.Session, device=row.Device)
