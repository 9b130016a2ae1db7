"""Brings what is due on its way, each receiver in a lane of its own, and notes what came of it.

A delivery is claimed before it is sent and settled afterwards, so that a crash in between sends it
again under the same event id. No receiver holds up another one, or the rounds of the worker: a
round waits for answers a short while, and meets those that take longer in a later one.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import wait
from datetime import datetime, timedelta
from functools import partial

import structlog
from cryptography.fernet import InvalidToken
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from server.db import transaction
from server.outward.backoff import LONGEST, next_try
from server.outward.calling import Refused, read_target
from server.outward.engine import LANES, Flight, Outward
from server.outward.mailing import send_all
from server.outward.posting import post_all
from server.outward.reports import Letter, Parcel, Report
from server.outward.tables import Delivery, Event, Hook
from server.people.addressees import find_addressee

MAIL = "mail"
"""The lane of all e-mail; every other lane is named after its hook."""
RUN = 20
"""Deliveries of one lane in one run."""
LEASE = timedelta(minutes=2)
"""How long a claimed delivery is nobody else's; a run ends well within it."""
PAUSE = timedelta(seconds=10)
"""When what a run did not come to is due again."""
PATIENCE_SECONDS = 2
"""How long a round waits for answers."""

log = structlog.get_logger()

Run = Callable[[], list[Report]]


def deliver(session: Session, outward: Outward) -> int:
    """Sends what is due and notes what came of it; how many deliveries were tried."""
    done = _collect(session, outward)
    for lane in _free_lanes(session, outward):
        _start(session, outward, lane)
    wait([flight.run for flight in outward.flying.values()], timeout=PATIENCE_SECONDS)
    return done + _collect(session, outward)


def _free_lanes(session: Session, outward: Outward) -> list[str]:
    """Receivers that something is due to and nobody is speaking to, the longest waiting first."""
    now = outward.clock.now()
    found = [(MAIL, session.scalar(select(_longest_waiting(Delivery.hook.is_(None), now))))]
    # By receiver, since of what is on its way to one that is down, all is due for hours.
    found += session.execute(select(Hook.id, _longest_waiting(Delivery.hook == Hook.id, now)))
    since = {lane: at for lane, at in found if at is not None and lane not in outward.flying}
    return sorted(since, key=lambda lane: since[lane])[: LANES - len(outward.flying)]


def _longest_waiting(mine: ColumnElement[bool], now: datetime) -> ColumnElement[datetime | None]:
    """Since when the first of ``mine`` is due; None where nothing is."""
    first = select(func.min(Delivery.next_at)).where(mine, Delivery.settled_at.is_(None))
    return func.coalesce(*(first.where(due).scalar_subquery() for due in _is_due(now)))


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """P8: what lies farther off than a try is put off was noted before the clock was set back."""
    return Delivery.next_at <= now, Delivery.next_at > now + LONGEST


def _start(session: Session, outward: Outward, lane: str) -> None:
    with transaction(session):
        claimed = _claim(session, lane, outward.clock.now())
        if not claimed:  # by another worker, or its hook was removed meanwhile
            return
        run = _write_run(session, outward, lane, claimed)
        keys = tuple(one.key for one, _event in claimed)
    outward.flying[lane] = Flight(run=outward.pool.submit(run), deliveries=keys)


def _claim(session: Session, lane: str, now: datetime) -> list[tuple[Delivery, Event]]:
    mine = Delivery.hook.is_(None) if lane == MAIL else Delivery.hook == lane
    waiting = (
        select(Delivery, Event)
        .join(Event, Event.key == Delivery.event)
        .where(mine, Delivery.settled_at.is_(None))
        .order_by(Delivery.next_at, Delivery.key)
        .limit(RUN)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    for due in _is_due(now):
        claimed = [(one, event) for one, event in session.execute(waiting.where(due))]
        for one, _event in claimed:
            one.next_at = now + LEASE
        if claimed:
            return claimed
    return []


def _write_run(
    session: Session, outward: Outward, lane: str, claimed: Iterable[tuple[Delivery, Event]]
) -> Run:
    """What a thread is to do, as plain values: it never sees the store."""
    if lane == MAIL:
        return _mail_run(session, outward, claimed)
    hook = session.get_one(Hook, lane)
    parcels = [
        Parcel(delivery=one.key, event=event.id, body=event.body or "") for one, event in claimed
    ]
    try:
        target = read_target(hook.url, outward.wishes.allow)
        secret = outward.keys.decrypt(hook.secret).decode()
    except Refused as refusal:
        return partial(_fail_all, parcels, str(refusal))
    except InvalidToken:
        return partial(_fail_all, parcels, "Its secret cannot be read any more.")
    return partial(post_all, outward.network, outward.clock, target, secret, parcels)


def _mail_run(session: Session, outward: Outward, claimed: Iterable[tuple[Delivery, Event]]) -> Run:
    letters: list[Letter] = []
    for one, event in claimed:
        person = find_addressee(session, one.user or "")
        if person is None:
            one.settled_at, one.answer = outward.clock.now(), "There is no address any more."
            continue
        letters.append(
            Letter(
                delivery=one.key,
                event=event.id,
                body=event.body or "",
                user=person.user,
                email=person.email,
                language=person.language,
            )
        )
    if not outward.wishes.smtp_url:
        return partial(_fail_all, letters, "No mail server is set.")
    return partial(
        send_all,
        outward.wishes.smtp_url,
        outward.wishes.mail_from,
        outward.clock,
        outward.registry,
        letters,
    )


def _fail_all(parcels: Iterable[Parcel], why: str) -> list[Report]:
    return [Report(delivery=one.delivery, arrived=False, answer=why[:80]) for one in parcels]


def _collect(session: Session, outward: Outward) -> int:
    """Notes the reports of every run that has ended."""
    tried = 0
    for lane, flight in list(outward.flying.items()):
        if flight.run.done():
            del outward.flying[lane]
            reports = _reports(flight)
            _settle(session, outward, lane, flight, reports)
            tried += len(reports)
    return tried


def _reports(flight: Flight) -> list[Report]:
    """A run that broke off has none: its deliveries come again (P8)."""
    try:
        return flight.run.result()
    except Exception:
        log.exception("run_failed")
        return []


def _settle(
    session: Session, outward: Outward, lane: str, flight: Flight, reports: Iterable[Report]
) -> None:
    now = outward.clock.now()
    told = {report.delivery: report for report in reports}
    with transaction(session):
        found = select(Delivery).where(
            Delivery.key.in_(flight.deliveries), Delivery.settled_at.is_(None)
        )
        for one in session.scalars(found):
            report = told.get(one.key)
            if report is None:
                one.next_at = now + PAUSE
            else:
                _note(one, report, now, outward)
        if lane != MAIL and any(report.gone for report in told.values()):
            stop(session, lane, now)


def _note(one: Delivery, report: Report, now: datetime, outward: Outward) -> None:
    draw = int.from_bytes(outward.ids.secret(4)) / 2**32
    again = next_try(now, tries=one.tries, expires_at=one.expires_at, draw=draw)
    one.tries += 1
    one.answer, one.arrived = report.answer, report.arrived
    if again is not None and not (report.arrived or report.gone):
        one.next_at = again
        return
    one.settled_at = now
    if not report.arrived:
        log.warning("delivery_given_up", delivery=one.key, hook=one.hook, answer=one.answer)


def stop(session: Session, hook: str, now: datetime) -> None:
    """Sends the hook nothing any more; what is on its way to it is given up. Caller commits."""
    session.flush()
    session.execute(update(Hook).where(Hook.id == hook).values(stopped_at=now))
    session.execute(
        update(Delivery)
        .where(Delivery.hook == hook, Delivery.settled_at.is_(None))
        .values(settled_at=now)
    )
