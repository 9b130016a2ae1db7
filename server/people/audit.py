"""Notes what happened to accounts, devices and sessions in the transaction that did it, and K4."""

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.db import transaction
from server.people.tables import AuditEntry

What = Literal[
    "absence_ended",
    "absence_noted",
    "bad_login",
    "bad_proof",
    "code_issued",
    "device_enrolled",
    "device_revoked",
    "email_set",
    "family_revoked",
    "file_imported",
    "hook_added",
    "hook_removed",
    "hook_replayed",
    "logged_in",
    "logged_out",
    "original_seen",
    "password_set",
    "policy_applied",
    "record_opened",
    "role_granted",
    "role_withdrawn",
    "user_created",
    "user_disabled",
]

ONE_LOOK = timedelta(minutes=10)
"""Pieces of a file that somebody fetches within it are one look at it."""


def note(
    store: Store,
    what: What,
    *,
    at: datetime,
    user: str | None = None,
    device: str | None = None,
    record: str | None = None,
    address: str | None = None,
) -> None:
    """Adds an entry; ``address`` is the network address that the request came from."""
    store.add(
        AuditEntry(at=at, what=what, user=user, device=device, record=record, address=address)
    )


def note_opening(store: Store, *, user: str, record: str, at: datetime) -> None:
    """K4: notes, in a transaction of its own, that ``user`` opened a confidential record."""
    with transaction(store):
        note(store, "record_opened", at=at, user=user, record=record)


def note_seen(store: Store, *, user: str, device: str | None, record: str, at: datetime) -> None:
    """Notes, in a transaction of its own, that ``user`` is shown the original of a photo."""
    same = (
        AuditEntry.record == record,
        AuditEntry.user == user,
        AuditEntry.what == "original_seen",
        AuditEntry.at > at - ONE_LOOK,
    )
    if store.scalar(select(AuditEntry.key).where(*same).limit(1)) is None:
        with transaction(store):
            note(store, "original_seen", at=at, user=user, device=device, record=record)
