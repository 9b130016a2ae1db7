"""Notes what happened to accounts, devices and sessions in the transaction that did it, and K4."""

from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session as Store

from server.db import transaction
from server.people.tables import AuditEntry

What = Literal[
    "bad_login",
    "bad_proof",
    "code_issued",
    "device_enrolled",
    "device_revoked",
    "family_revoked",
    "logged_in",
    "logged_out",
    "password_set",
    "record_opened",
    "role_granted",
    "role_withdrawn",
    "user_created",
    "user_disabled",
]


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
