"""X9: takes what somebody of an office notes about a case. Knows no kind by name."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from server.domain.review.actions import write_version
from server.errors import Problem
from server.ids import derive_id, is_uuid7
from server.people.principal import Principal
from server.proof.encoding import canonical, sha256_hex
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_record, may_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is noted. ``form`` is the id of the form: what it sends twice is one note (P2)."""

    about: str
    form: str
    text: str
    for_rep: bool


def takes_notes(sync: Sync, kind: str) -> bool:
    """Whether notes may be written about records of ``kind``."""
    note = sync.registry.get("note")
    return note is not None and kind in note.references["about"]


def reaches_rep(about: StoredRecord) -> bool:
    """P5: whether a rep's device holds the record, and so a note about it that is for the rep."""
    return any(scope.startswith("user:") for scope in about.scopes)


def write_note(session: Session, sync: Sync, by: Principal, said: Said) -> None:
    """Writes a note of ``by`` beside a record that they may open.

    *Raises* ``not_found``, and ``validation`` without words, or for a rep who holds no such record.
    """
    about = find_record(session, said.about)
    if about is None or not may_open(sync.registry, by, about) or not is_uuid7(said.form):
        raise Problem("not_found")
    if not takes_notes(sync, about.kind):
        raise Problem("not_found")
    if said.for_rep and not reaches_rep(about):
        raise Problem("validation", fields={"for_rep": "not_in_state"})
    values: dict[str, Any] = {"about_kind": about.kind, "about": about.id, "text": said.text}
    values |= {"for_rep": True} if said.for_rep else {}
    content = sha256_hex(canonical({**values, "by": by.user}))
    note = derive_id(said.form, f"-{content}")
    made = {"action": "create", "kind": "note", "record": note, "base": 0, "set": values}
    mutation = {"id": derive_id(said.form, note), **made}
    envelope = Envelope(sender=by, writer="office")
    (result,) = push_batch(sync, session, envelope, [mutation]).results
    write_version(result)
