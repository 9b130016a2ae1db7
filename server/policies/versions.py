"""Keeps the versions of the policy: the first, the newest, one more. Reads nothing in them."""

import hashlib
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import transaction
from server.errors import Problem
from server.people import audit
from server.policies.tables import PolicyVersion


def hash_of(content: str) -> str:
    """SHA-256 of the text of a version."""
    return hashlib.sha256(content.encode()).hexdigest()


def newest_number(store: Session) -> int:
    """The number in force; 0 where there is no version yet."""
    return store.scalar(select(func.max(PolicyVersion.number))) or 0


def newest(store: Session) -> PolicyVersion | None:
    """The version in force."""
    ordered = select(PolicyVersion).order_by(PolicyVersion.number.desc())
    return store.scalars(ordered.limit(1)).first()


def need(store: Session, number: int | None = None) -> PolicyVersion:
    """That version; without a number the one in force. *Raises* ``not_found``."""
    found = newest(store) if number is None else store.get(PolicyVersion, number)
    if found is None:
        raise Problem("not_found", detail=f"There is no version {number} of the policy.")
    return found


def list_versions(store: Session) -> list[PolicyVersion]:
    """All of them, from the first on."""
    return list(store.scalars(select(PolicyVersion).order_by(PolicyVersion.number)))


def begin(store: Session, content: str, *, now: datetime) -> None:
    """Keeps ``content`` as version 1 of a store that has none."""
    if newest_number(store):
        return
    try:
        with transaction(store):
            store.add(_version(1, content, by=None, now=now))
    except IntegrityError:  # another process was first
        return


def add(
    store: Session, content: str, *, based_on: int, by: str | None, now: datetime
) -> PolicyVersion:
    """Puts ``content`` in force, in the caller's transaction.

    *Raises* ``wrong_state`` where ``based_on`` is no longer the number in force.
    """
    version = _version(based_on + 1, content, by=by, now=now)
    store.add(version)
    audit.note(store, "policy_applied", at=now, user=by)
    try:
        store.flush()
    except IntegrityError as error:  # that number is taken
        raise Problem("wrong_state") from error
    return version


def _version(number: int, content: str, *, by: str | None, now: datetime) -> PolicyVersion:
    return PolicyVersion(
        number=number, content=content, sha256=hash_of(content), applied_at=now, applied_by=by
    )
