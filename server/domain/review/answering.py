"""B3, K2: takes what a person says of two records that may be the same. Knows no kind by name."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from server.clock import to_wire
from server.domain.review.actions import write_strictly
from server.errors import Problem
from server.people.principal import Principal
from server.sync.engine import Sync
from server.sync.queries import StoredRecord, find_record, may_open

Verdict = Literal["same", "different", "unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says of the version of a match that stood on the page."""

    match: str
    base: int
    answer: Verdict
    note: str = ""


def answer_match(sync: Sync, session: Session, reader: Principal, said: Answer) -> int:
    """Writes the answer; the match's new version. It may be given anew, and merges nothing.

    Raises Problem ``not_found`` where the reader may not see the match, ``validation`` where it
    is not for the reader to say, and ``wrong_state`` where somebody else answered since ``base``.
    """
    seen = _visible(sync, session, reader, said.match)
    told = {
        "answer": said.answer,
        "answer_note": said.note or None,
        "answered_by": reader.user,
        "answered_at": to_wire(sync.clock.now()),
    }
    known = sync.registry.kinds[seen.kind].fields
    values = {name: value for name, value in told.items() if name in known}
    return write_strictly(sync, session, reader, seen, base=said.base, values=values)


def _visible(sync: Sync, session: Session, reader: Principal, match: str) -> StoredRecord:
    """P5: a match that the reader may not open answers like one that does not exist."""
    seen = find_record(session, match)
    kind = sync.registry.get(seen.kind) if seen else None
    if seen is None or kind is None or "answer" not in kind.fields:
        raise Problem("not_found")
    if not may_open(sync.registry, reader, seen):
        raise Problem("not_found")
    return seen
