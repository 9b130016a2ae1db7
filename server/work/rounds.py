"""What the worker does when it wakes: plain functions, also called by tests and the demo."""

from collections.abc import Callable
from datetime import timedelta
from typing import cast

import structlog
from flask import Flask
from sqlalchemy.orm import Session

from server.casework.clocks import tick
from server.domain.cases.actions import follow_cases
from server.domain.cases.penalty_actions import follow_penalties
from server.domain.evidence import actions, comparing
from server.extensions import db
from server.media.garbage import collect
from server.media.moving import move_blobs
from server.media.pictures import examine_blob, list_unexamined
from server.media.rehash import rehash_blobs
from server.media.sweep import clear_parts, expire_uploads, finish_stored
from server.outward.delivering import deliver
from server.outward.following import follow
from server.outward.forgetting import forget_events
from server.services import Services, keep_following
from server.sync import epochs
from server.sync.aging import compact, mark_day, sweep_aged
from server.sync.feed import number_feed
from server.sync.waiting import sweep_waiting

REHASHED_BYTES = 64 * 1024 * 1024
"""So much is hashed again in a round, that is at most 6 MB a second."""

STEP_SECONDS = 5.0
"""After so long what is left of many photos waits for the next round, and deadlines do not wait."""

STUCK_SECONDS = 60.0
"""The same where none of them could be looked into: no process or no store can be had."""

log = structlog.get_logger()

Step = Callable[[Session, Services], int]
"""Does what is to be done of one sort; returns how much that was."""


def look_into_blobs(session: Session, services: Services) -> int:
    """Makes pictures of blobs that nobody has looked into, of all of them in time.

    P8: one that fails stops no other, nor do many of them what else is due.
    """
    clock, done = services.clock, 0
    begun = clock.monotonic()
    for sha256 in list_unexamined(session):
        if clock.monotonic() - begun >= (STEP_SECONDS if done else STUCK_SECONDS):
            break
        try:
            examine_blob(session, services.media, sha256)
            done += 1
        except Exception:
            session.rollback()
            log.exception("blob_not_examined", sha256=sha256)
    return done


def keep_days(session: Session, services: Services) -> int:
    """Once a day: closed work of long ago leaves the devices, and old traces leave the feed."""
    now = services.clock.now()
    if not mark_day(session, now):
        return 0
    months = services.policy.sync.hold_months
    moved = comparing.follow_photos(session, services.sync)
    forget_events(session, services.outward)
    swept = sweep_aged(session, services.sync, months=months) + compact(session, now)
    restored_at = epochs.changed_at(session)
    return (
        1
        + moved
        + swept
        + sum(1 for _ in collect(session, services.media, restored_at=restored_at))
    )


def rest_blobs(session: Session, services: Services) -> int:
    """Moves originals that have lain at hand for long enough."""
    before = services.clock.now() - timedelta(days=services.settings.bucket_after_days)
    return move_blobs(session, services.media, before=before)


def rehash_some(session: Session, services: Services) -> int:
    """Hashes some of the originals that nobody has hashed for long."""
    if not services.settings.rehash_days:
        return 0
    before = services.clock.now() - timedelta(days=services.settings.rehash_days)
    return len(rehash_blobs(session, services.media, before=before, most_bytes=REHASHED_BYTES))


STEPS: tuple[Step, ...] = (
    lambda session, services: finish_stored(session, services.media),
    look_into_blobs,
    lambda session, services: actions.tell_arrivals(session, services.sync, services.media),
    lambda session, services: comparing.compare_photos(
        session, services.sync, services.media, services.policy.photos, seconds=STEP_SECONDS
    ),
    lambda session, _services: number_feed(session),
    lambda session, services: tick(session, services.clock.now()),
    lambda session, services: follow_cases(session, services.sync, services.policy),
    lambda session, services: follow_penalties(session, services.sync),
    lambda session, services: sweep_waiting(
        session, services.sync, term=timedelta(days=services.policy.sync.waiting_days)
    ),
    lambda session, services: follow(session, services.outward),
    lambda session, services: deliver(session, services.outward),
    keep_days,
    rest_blobs,
    rehash_some,
    lambda session, services: expire_uploads(session, services.media),
    lambda session, services: clear_parts(session, services.media),
)


def run_round(app: Flask) -> int:
    """Every step once; a step that fails is logged and keeps none of the others from running."""
    done = 0
    with app.app_context():
        keep_following(app, db.session())
        services = cast("Services", app.extensions["fieldstamp"])
        for step in STEPS:
            try:
                done += step(db.session(), services)
            except Exception:
                db.session.rollback()
                log.exception("step_failed")
    return done


def run_pending(app: Flask) -> None:
    """Rounds until there is nothing left that can be done now."""
    while run_round(app):
        continue
