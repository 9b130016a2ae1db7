"""Takes down what happened, from the feed, and issues it once the record is whole.

A durable place in the feed stands for "so far"; it moves in the transaction that takes the events
down, so that a crash loses nothing and repeats nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.machine import Machine
from server.clock import from_wire
from server.db import transaction
from server.domain.evidence.queries import bearing_bytes, bytes_beneath
from server.outward.catalogue import (
    is_casework,
    is_undo,
    is_verdict,
    read_version,
    write_body,
)
from server.outward.engine import Outward
from server.outward.fanning import Issued, fan_out
from server.outward.noting import Noted, note, take_place
from server.outward.tables import RIPE, Event, Followed, Place
from server.outward.timing import follow_clocks
from server.sync.changes import NewVersion, changed_after, versions_after
from server.sync.queries import StoredRecord, find_records

PAGE = 100
"""Changes of the feed that one transaction takes in, and records that one looks at again."""
PAGES = 50
"""Transactions of one round."""
SHOWN = 20
"""How many of the missing attachments are named."""


def follow(session: Session, outward: Outward) -> int:
    """Takes in what is new and issues what can be issued; how much was done.

    Clocks come once the feed is through, so that nothing is late before it has come into being.
    """
    done = 0
    for _page in range(PAGES):
        some = _follow_page(session, outward) or follow_clocks(session, outward)
        done += some
        if not some:
            break
    return done


def _follow_page(session: Session, outward: Outward) -> int:
    now = outward.clock.now()
    if not _has_news(session, now):
        return 0
    with transaction(session):
        place = take_place(session)
        changed, reached = changed_after(session, place.feed, limit=PAGE)
        records = find_records(session, changed)
        taken = _take_down(session, outward, records.values(), now)
        touched = {*records, *_above(session, outward, records.values()), *_ripe(session, now)}
        issued = _issue(session, outward, touched, now)
        _number(place, issued)
        fan_out(session, outward, issued, now)
        moved = reached != place.feed
        place.feed = reached
    return moved + taken + len(issued)


def _above(session: Session, outward: Outward, records: Iterable[StoredRecord]) -> set[str]:
    """What may have become whole by those of ``records`` that bear bytes: two records up."""
    bearing = bearing_bytes(outward.registry)
    parents = {one.parent for one in records if one.kind in bearing and one.parent}
    further = {one.parent for one in find_records(session, parents).values() if one.parent}
    return parents | further


def _has_news(session: Session, now: datetime) -> bool:
    """Asked in a read, so that a quiet round takes no writer's lock."""
    place = session.scalar(select(Place.feed)) or 0
    _changed, reached = changed_after(session, place, limit=1)
    return reached != place or bool(_ripe(session, now))


def _take_down(
    session: Session, outward: Outward, records: Iterable[StoredRecord], now: datetime
) -> int:
    """Notes what each new version means, and up to which version that was done."""
    kinds = {one.id: outward.registry.get(one.kind) for one in records}
    cases = {record: kind for record, kind in kinds.items() if kind and is_casework(kind)}
    known = session.scalars(select(Followed).where(Followed.record.in_(sorted(cases))))
    followed = {one.record: one for one in known}
    followed |= {case: Followed(record=case, version=0) for case in cases.keys() - followed.keys()}
    session.add_all(followed.values())
    versions = versions_after(session, {case: one.version for case, one in followed.items()})
    fresh: list[Noted] = []
    for version in versions:
        news = version
        if is_undo(version):
            note(session, fresh)
            fresh = []
            news = _past(_forget(session, version), version)
        fresh += _read(outward, news, cases[version.record].machine, now)
    note(session, fresh)
    for version in versions:
        followed[version.record].version = version.version
    session.flush()
    return len(versions)


def _read(
    outward: Outward, version: NewVersion, machine: Machine | None, now: datetime
) -> Iterator[Noted]:
    """B2: a verdict may be taken back for some seconds; nobody outside hears of it before."""
    wait = outward.undo if is_verdict(version) else timedelta()
    not_before = min(from_wire(version.at), now) + wait
    for happening in read_version(version, machine):
        yield happening, not_before


def _forget(session: Session, undo: NewVersion) -> NewVersion | None:
    """B2: drops the verdict that was taken back before anybody heard of it, and returns it."""
    held = _held(session, [undo.record]).get(undo.record, [])
    versions = versions_after(session, {undo.record: 0}) if held else []
    given = [one for one in versions if one.version < undo.version and is_verdict(one)][-1:]
    told = [one.version for one in given]
    undone = [one for one in held if orjson.loads(one.facts).get("version") in told]
    for one in undone:
        session.delete(one)
    session.flush()
    return given[0] if undone else None


def _past(given: NewVersion | None, undo: NewVersion) -> NewVersion:
    """What of both together is news: after a second verdict the first one may not stand again."""
    if given is None:
        return undo
    (was, led_to), (left, now) = (one.changed.get("state", (None, None)) for one in (given, undo))
    return replace(undo, changed={**undo.changed, "state": (was, now)}) if left == led_to else undo


def _ripe(session: Session, now: datetime) -> list[str]:
    """Records with an event whose time has come and that waits for nothing else."""
    ripe = select(Event.record).where(RIPE, Event.not_before <= now)
    return list(session.scalars(ripe.distinct().limit(PAGE)))


def _issue(
    session: Session, outward: Outward, touched: Iterable[str], now: datetime
) -> list[Issued]:
    """Incident 14: events of a record leave in their order, and only while it is whole."""
    held = _held(session, touched)
    records = find_records(session, held)
    beneath = bytes_beneath(session, outward.registry, records)
    issued: list[Issued] = []
    for record, events in held.items():
        missing = [one for one in beneath[record] if one.data.get("state") != "verified"]
        for event in events:
            event.waits_for = _write_missing(missing) if missing else ""
        ready = [] if missing else _ready(events, now)
        for event in ready:
            event.body = _body(outward, event, records[record], beneath[record])
            event.issued_at = now
        issued += [Issued(event=event, record=records[record]) for event in ready]
    return issued


def _held(session: Session, records: Iterable[str]) -> Mapping[str, list[Event]]:
    held: dict[str, list[Event]] = defaultdict(list)
    found = select(Event).where(Event.seq.is_(None), Event.record.in_(sorted(records)))
    for event in session.scalars(found.order_by(Event.key)):
        held[event.record].append(event)
    return held


def _ready(events: Sequence[Event], now: datetime) -> list[Event]:
    """Those whose time has come, up to the first whose has not."""
    early = [place for place, event in enumerate(events) if event.not_before > now]
    return list(events[: early[0]] if early else events)


def _write_missing(missing: Iterable[StoredRecord]) -> str:
    named: list[dict[str, Any]] = [
        {"record": one.id, "kind": one.kind, "state": one.data.get("state")} for one in missing
    ]
    return orjson.dumps(named[:SHOWN]).decode()


def _body(
    outward: Outward, event: Event, record: StoredRecord, attachments: Iterable[StoredRecord]
) -> str:
    return write_body(
        event.id,
        event.type,
        event.at,
        orjson.loads(event.facts),
        record=record,
        attachments=attachments,
        origin=outward.wishes.origin,
    )


def _number(place: Place, issued: Iterable[Issued]) -> None:
    """Numbers in the order in which they were taken down; one worker at a time holds ``place``."""
    for one in sorted(issued, key=lambda one: one.event.key):
        place.issued += 1
        one.event.seq = place.issued
