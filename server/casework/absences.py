"""B1: who is away, from when until when, and who acts in their place. The caller commits."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.tables import Absence
from server.clock import to_wire
from server.errors import Problem
from server.people import audit


def note_absence(
    session: Session,
    *,
    person: str,
    deputy: str,
    begins: datetime,
    ends: datetime,
    now: datetime,
) -> None:
    """From ``begins`` on and before ``ends``, what waits for ``person`` waits for ``deputy`` too.

    A deputy needs the role itself: this hands over work, and no right. *Raises* ``validation``.
    """
    if person == deputy:
        raise Problem("validation", fields={"deputy": "choice"})
    if ends <= begins:
        raise Problem("validation", fields={"until": "order:from"})
    session.add(
        Absence(
            person=person,
            deputy=deputy,
            begins_at=to_wire(begins),
            ends_at=to_wire(ends),
            noted_at=to_wire(now),
        )
    )
    audit.note(session, "absence_noted", at=now, user=person)


def end_absences(session: Session, *, person: str, now: datetime) -> int:
    """Ends every absence of ``person`` that is not over yet; how many those were."""
    later = select(Absence).where(Absence.person == person, Absence.ends_at > to_wire(now))
    ended = list(session.scalars(later))
    for absence in ended:
        absence.ends_at = to_wire(now)
    if ended:
        audit.note(session, "absence_ended", at=now, user=person)
    return len(ended)
