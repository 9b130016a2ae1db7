"""The ways in: a device enrols with a code or a password, a browser signs in with a password.

Tries are counted first, secrets are compared outside the write transaction, then one transaction
binds the device and opens the session.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session as Store

from server.db import transaction
from server.errors import Problem
from server.ids import IdMaker
from server.people import attempts, audit, devices, forks, passwords, refresh, sessions, users
from server.people.devices import DeviceClaim
from server.people.forks import Fork
from server.people.refresh import Issuer
from server.people.tables import EnrolCode, Session, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a person types, and the network address it came from."""

    username: str
    password: str
    address: str


@dataclass(frozen=True, slots=True)
class Entered:
    """A session of a device and its first refresh token."""

    session: str
    token: str


def enrol(
    store: Store, issuer: Issuer, code: str, claim: DeviceClaim, *, address: str, now: datetime
) -> Entered:
    """Binds a device to the person for whom ``code`` was issued; once, and repeatable.

    The same code with the same device and key gives the same answer until the code expires.
    *Raises* ``code_unusable``, ``device_taken``, ``device_revoked``, ``too_many``.
    """
    tried = attempts.subject("code", address)
    attempts.take(store, tried, pace=attempts.CODES, now=now)
    with transaction(store):
        row = devices.live_code(store, code, now=now)
        session = _use_code(store, issuer, row, claim, now=now)
        token = refresh.first_token(store, issuer, session)
        attempts.forgive(store, tried, now=now)
    return Entered(session, token)


def _use_code(
    store: Store, issuer: Issuer, row: EnrolCode, claim: DeviceClaim, *, now: datetime
) -> str:
    if row.device not in {None, claim.id} or _is_disabled(store, row.user):
        raise Problem("code_unusable")
    device = devices.bind(store, claim, user=row.user, now=now)
    if row.session is not None:
        return row.session
    session = sessions.open_session(store, issuer.ids, user=row.user, device=device.id, now=now)
    row.device, row.session = device.id, session.id
    store.flush()
    return session.id


def go_on(
    store: Store, issuer: Issuer, fork: Fork, claim: DeviceClaim, *, address: str, now: datetime
) -> Entered:
    """Binds the device under which a copied store goes on, by the old device's proof; once.

    *Raises* ``bad_proof``, ``forbidden``, ``device_taken``, ``device_revoked``, ``too_many``.
    """
    tried = attempts.subject("fork", address)
    attempts.take(store, tried, pace=attempts.CODES, now=now)
    with transaction(store):
        device = forks.bind_successor(store, fork, claim, origins=issuer.origins, now=now)
        if _is_disabled(store, device.user):
            raise Problem("forbidden")
        session = sessions.open_session(
            store, issuer.ids, user=device.user, device=device.id, now=now
        )
        store.flush()
        token = refresh.first_token(store, issuer, session.id)
        attempts.forgive(store, tried, now=now)
        return Entered(session.id, token)


def _is_disabled(store: Store, user: str) -> bool:
    return store.get_one(User, user).disabled_at is not None


def login(
    store: Store, issuer: Issuer, credentials: Credentials, claim: DeviceClaim, *, now: datetime
) -> Entered:
    """Opens a session of a device for a person with a password, binding the device.

    *Raises* ``bad_login``, ``device_taken``, ``device_revoked``, ``too_many``.
    """
    user = check(store, credentials, now=now)
    with transaction(store):
        device = devices.bind(store, claim, user=user, now=now)
        session = sessions.open_session(store, issuer.ids, user=user, device=device.id, now=now)
        store.flush()
        token = refresh.first_token(store, issuer, session.id)
        _welcome(store, session, credentials, now=now)
        return Entered(session.id, token)


def login_browser(store: Store, ids: IdMaker, credentials: Credentials, *, now: datetime) -> str:
    """Opens a back-office session and returns the secret for its cookie.

    *Raises* ``bad_login``, ``too_many``.
    """
    user = check(store, credentials, now=now)
    with transaction(store):
        secret = sessions.open_browser(store, ids, user=user, now=now)
        audit.note(store, "logged_in", at=now, user=user, address=credentials.address)
        attempts.forgive(store, *_subjects(credentials), now=now)
    return secret


def check(store: Store, credentials: Credentials, *, now: datetime) -> str:
    """The id of the person whose name and password these are, after counting the try.

    Name unknown, password wrong and person disabled look and take the same.
    *Raises* ``bad_login``, ``too_many``.
    """
    paces = (attempts.ADDRESS, attempts.PAIR, attempts.ACCOUNT)
    for subject, pace in zip(_subjects(credentials), paces, strict=True):
        attempts.take(store, subject, pace=pace, now=now)
    user = users.check_password(store, credentials.username, credentials.password)
    if user is None:
        with transaction(store):
            audit.note(store, "bad_login", at=now, address=credentials.address)
        raise Problem("bad_login")
    return _rehash(store, user, credentials.password)


def _rehash(store: Store, user: User, password: str) -> str:
    found = user.id
    if user.password is not None and passwords.is_outdated(user.password):
        hashed = passwords.hash_password(password)
        with transaction(store):
            store.get_one(User, found).password = hashed
    return found


def _subjects(credentials: Credentials) -> tuple[str, str, str]:
    username, address = credentials.username, credentials.address
    return (
        attempts.subject("address", address),
        attempts.subject("pair", f"{address}\n{username}"),
        attempts.subject("account", username),
    )


def _welcome(store: Store, session: Session, credentials: Credentials, *, now: datetime) -> None:
    audit.note(
        store,
        "logged_in",
        at=now,
        user=session.user,
        device=session.device,
        address=credentials.address,
    )
    attempts.forgive(store, *_subjects(credentials), now=now)
