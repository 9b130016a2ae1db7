"""K4: notes who is shown what is confidential."""

from server.extensions import db
from server.people import audit
from server.people.principal import Principal
from server.services import services
from server.sync.queries import StoredRecord

CONFIDENTIAL = frozenset({"customer"})
"""Kinds of which every opening is noted."""


def note_opening(reader: Principal, record: StoredRecord) -> None:
    """Notes that ``reader`` is shown ``record``, where that is to be noted."""
    if record.kind in CONFIDENTIAL:
        now = services().clock.now()
        audit.note_opening(db.session(), user=reader.user, record=record.id, at=now)
