"""Who is to hear of an event: hooks that want it, and people in whose hands its record is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.queries import OpenWork, acting_for, open_work
from server.outward.engine import Outward
from server.outward.tables import Delivery, Event, Hook
from server.people.addressees import addressees, find_addressee
from server.people.principal import Role
from server.sync.queries import StoredRecord

TRIED_FOR = timedelta(hours=24)
"""How long a delivery is tried again before it is given up."""


@dataclass(frozen=True, slots=True)
class Issued:
    """An event that has become public, and its record as it stands."""

    event: Event
    record: StoredRecord


def fan_out(session: Session, outward: Outward, issued: Sequence[Issued], now: datetime) -> None:
    """Writes a delivery for each who is to hear, in the transaction that issues the events."""
    if not issued:
        return
    session.flush()
    active = session.scalars(select(Hook).where(Hook.stopped_at.is_(None)).order_by(Hook.id))
    hooks = list(active)
    for one in issued:
        for hook in hooks:
            if wants(hook, one.event.type, one.record.kind):
                session.add(delivery(one.event.key, now, hook=hook.id))
    if outward.wishes.smtp_url:
        _address(session, outward, issued, now)


def wants(hook: Hook, type_: str, kind: str) -> bool:
    """Whether the hook asked for such events of such records."""
    types, kinds = orjson.loads(hook.types), orjson.loads(hook.kinds)
    return (not types or type_ in types) and (not kinds or kind in kinds)


def delivery(
    event: int, now: datetime, *, hook: str | None = None, user: str | None = None
) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(event=event, hook=hook, user=user, next_at=now, expires_at=now + TRIED_FOR)


def _address(session: Session, outward: Outward, issued: Iterable[Issued], now: datetime) -> None:
    """B1: those with an address in whose hands the record is; of a decision, its author too."""
    mailed = [one for one in issued if _is_mailed(outward, one.record.kind)]
    works = open_work(session, {one.record.id for one in mailed})
    for one in mailed:
        hands = {
            user for work in works.get(one.record.id, ()) for user in _hands(session, work, now)
        }
        if one.event.type == "case.decided" and find_addressee(session, one.record.creator):
            hands.add(one.record.creator)
        session.add_all(delivery(one.event.key, now, user=user) for user in sorted(hands))


def _is_mailed(outward: Outward, name: str) -> bool:
    """Kinds with states of their own are; of plain reviews, those that the installation names."""
    kind = outward.registry.get(name)
    return name in outward.wishes.mail_kinds or (kind is not None and kind.machine is not None)


def _hands(session: Session, work: OpenWork, now: datetime) -> Iterator[str]:
    """Who is to do it, by name or by role, and whom it was told to since it was missed (X8)."""
    persons = sorted(acting_for(session, work.person, now)) if work.person else ()
    named = [person for person in persons if find_addressee(session, person)]
    yield from named or _holding(session, work.role, work.region)
    if work.escalated_to is not None:
        yield from _holding(session, work.escalated_to, work.region)


def _holding(session: Session, role: Role, region: str | None) -> Iterator[str]:
    return (person.user for person in addressees(session, role, region))
