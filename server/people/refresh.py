"""The refresh chain of a session: each token has one successor, and a lost answer costs nothing.

A token is never stored: it is derived from its row's seed, so that the same answer can be given
again. Who may refresh is decided here; what a session is, in ``sessions``.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session as Store

from server.db import transaction
from server.errors import Problem
from server.ids import IdMaker
from server.people import audit, sessions
from server.people.keys import PublicKey, is_signed, to_base64url
from server.people.sessions import Terms
from server.people.tables import Device, RefreshToken, Session, User

PROOF = "fieldstamp-refresh-1"
SEED_BYTES = 32
AFTER_EPOCH_CHANGE = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What sessions are made with and measured by."""

    ids: IdMaker
    secrets: tuple[str, ...]
    """The first makes tokens, the others made earlier ones."""
    terms: Terms
    origins: tuple[str, ...]
    epoch_changed_at: datetime | None = None
    """When the present epoch began, unless it is the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRequest:
    """What a device sends to refresh."""

    device: str
    token: str
    rotation: str
    proof: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Renewed:
    """A live session and its newest refresh token."""

    session: str
    token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no new token; what was noted about it is committed all the same."""

    code: str
    erase: str | None = None


def hash_token(token: str) -> str:
    """How a token is stored, and how a proof names it."""
    return hashlib.sha256(token.encode()).hexdigest()


def proof_message(origin: str, token: str, rotation: str) -> bytes:
    """What a device signs to prove that a refresh is its own."""
    return f"{PROOF}\n{origin}\n{hash_token(token)}\n{rotation}".encode()


def first_token(store: Store, issuer: Issuer, session: str) -> str:
    """The first token of ``session``; called again, the same one."""
    seed = session.encode()
    token = _derive(issuer.secrets[0], seed)
    if store.get(RefreshToken, hash_token(token)) is None:
        store.add(RefreshToken(token_hash=hash_token(token), session=session, seed=seed))
        store.flush()
    return token


def refresh(store: Store, issuer: Issuer, request: RefreshRequest, *, now: datetime) -> Renewed:
    """The successor of a token. Same token and rotation: same successor, until it was used.

    *Raises* ``bad_proof``, ``token_spent``, ``unauthenticated`` (log in again, nothing is lost)
    and ``device_revoked`` when a revoked device's term to hand in work is over.
    """
    with transaction(store):
        outcome = _decide(store, issuer, request, now=now)
    if isinstance(outcome, Refused):
        extra = {"erase": outcome.erase} if outcome.erase else None
        raise Problem(outcome.code, extra=extra)
    return outcome


def _decide(
    store: Store, issuer: Issuer, request: RefreshRequest, *, now: datetime
) -> Renewed | Refused:
    device = store.get(Device, request.device)
    token = store.get(RefreshToken, hash_token(request.token), with_for_update=True)
    session = None if token is None else store.get_one(Session, token.session)
    if device is None or not _is_proven(device, session, issuer, request):
        audit.note(store, "bad_proof", at=now, device=request.device, address=request.address)
        return Refused("bad_proof")
    if refused := _shut_out(store, device, issuer.terms, now=now):
        return refused
    if token is None or session is None:
        return _start_family(store, issuer, request, device, now=now)
    if not sessions.is_live(session, now=now, terms=issuer.terms):
        return Refused("unauthenticated")
    return _rotate(store, issuer, request, token, session, now=now)


def _is_proven(
    device: Device, session: Session | None, issuer: Issuer, request: RefreshRequest
) -> bool:
    if session is not None and session.device != device.id:
        return False
    if device.origin not in issuer.origins:
        return False
    message = proof_message(device.origin, request.token, request.rotation)
    return is_signed(PublicKey(device.alg, device.public_key), message, request.proof)


def _shut_out(store: Store, device: Device, terms: Terms, *, now: datetime) -> Refused | None:
    if device.revoked_at is None:
        disabled = store.get_one(User, device.user).disabled_at is not None
        return Refused("unauthenticated") if disabled else None
    # P6: a revoked device goes on handing in its work for the policy's days.
    over = now - device.revoked_at >= terms.revoked_upload
    return Refused("device_revoked", device.erase) if over else None


def _rotate(
    store: Store,
    issuer: Issuer,
    request: RefreshRequest,
    token: RefreshToken,
    session: Session,
    *,
    now: datetime,
) -> Renewed | Refused:
    if token.successor is None:
        session.used_at = now
        return _succeed(store, issuer, token, request.rotation, now=now)
    if token.rotation != request.rotation:
        # Two holders of one token: one of them stole it, and nobody can tell which.
        session.ended_at = now
        audit.note(
            store,
            "family_revoked",
            at=now,
            user=session.user,
            device=session.device,
            address=request.address,
        )
        return Refused("unauthenticated")
    successor = store.get_one(RefreshToken, token.successor)
    if successor.successor is not None:
        return Refused("token_spent")
    again = _derive_again(issuer, successor)
    return Renewed(session.id, again) if again else Refused("unauthenticated")


def _start_family(
    store: Store, issuer: Issuer, request: RefreshRequest, device: Device, *, now: datetime
) -> Renewed | Refused:
    changed = issuer.epoch_changed_at
    if changed is None or now - changed >= AFTER_EPOCH_CHANGE or device.revoked_at is not None:
        return Refused("unauthenticated")
    # The token was given out after the backup that this store was restored from. It stands as
    # the spent first of a new family, so that the same request again has the same answer.
    session = sessions.open_session(store, issuer.ids, user=device.user, device=device.id, now=now)
    store.flush()
    spent = RefreshToken(token_hash=hash_token(request.token), session=session.id, seed=b"")
    store.add(spent)
    store.flush()
    return _succeed(store, issuer, spent, request.rotation, now=now)


def _succeed(
    store: Store, issuer: Issuer, token: RefreshToken, rotation: str, *, now: datetime
) -> Renewed:
    seed = issuer.ids.secret(SEED_BYTES)
    fresh = _derive(issuer.secrets[0], seed)
    store.add(RefreshToken(token_hash=hash_token(fresh), session=token.session, seed=seed))
    token.rotation, token.successor, token.used_at = rotation, hash_token(fresh), now
    return Renewed(token.session, fresh)


def _derive_again(issuer: Issuer, token: RefreshToken) -> str | None:
    """The value of a stored token; None where the secret that made it is gone."""
    values = (_derive(secret, token.seed) for secret in issuer.secrets)
    return next((value for value in values if hash_token(value) == token.token_hash), None)


def _derive(secret: str, seed: bytes) -> str:
    message = b"fieldstamp refresh token\n" + seed
    return to_base64url(hmac.new(secret.encode(), message, hashlib.sha256).digest())
