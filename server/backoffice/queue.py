"""B1: the first page: what waits for me, the least time left first."""

from dataclasses import dataclass

from flask import render_template, request

from server.backoffice import words
from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.facts import Fact, Lens
from server.backoffice.lenses import label_in, lens_for, state_words, worded
from server.backoffice.words import TimeLeft
from server.casework.queries import count_waiting
from server.domain import queries
from server.domain.queries import Photo, QueueRow
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import RecordKind

PAGE = 30
SHOWN_PHOTOS = 3
"""Thumbnails on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One waiting record as the list shows it."""

    record: str
    kind: RecordKind
    label: str
    summary: tuple[Fact, ...]
    rep: str
    region: str
    task: str
    state: str
    flags: tuple[tuple[str, str], ...]
    left: TimeLeft
    due: str
    photos: tuple[Photo, ...]


@blueprint.get("/")
@signed_in
def queue(principal: Principal) -> Page:
    """The queue, of all kinds or one, page by page."""
    wanted = request.args.get("kind") or None
    after = request.args.get("after", type=int)
    rows = read_rows(principal, kind=wanted, after=after, limit=PAGE + 1)
    return render_template(
        "office/queue.html",
        lines=lines(principal, rows[:PAGE]),
        more=rows[PAGE - 1].work.key if len(rows) > PAGE else None,
        filters=kind_filters(principal),
        wanted=wanted,
        after=after,
        shown_photos=SHOWN_PHOTOS,
    )


def read_rows(
    principal: Principal, *, kind: str | None, after: int | None, limit: int
) -> tuple[QueueRow, ...]:
    """What waits for ``principal`` behind the item ``after``."""
    registry = services().sync.registry
    return queries.queue(
        db.session(),
        registry,
        principal,
        now=services().clock.now(),
        kind=kind,
        after=after,
        limit=limit,
    )


def kind_filters(principal: Principal) -> list[tuple[RecordKind, int]]:
    """The kinds of which something waits, and how much."""
    waiting = count_waiting(db.session(), principal, services().clock.now())
    known = services().sync.registry.kinds
    return [(known[name], count) for name, count in sorted(waiting.items()) if name in known]


def lines(principal: Principal, rows: tuple[QueueRow, ...]) -> list[Line]:
    """The rows made readable."""
    lens = lens_for(db.session(), principal, [row.record for row in rows])
    photos = queries.photos_beneath(db.session(), [row.record.id for row in rows])
    return [_line(lens, row, photos[row.record.id]) for row in rows]


def _line(lens: Lens, row: QueueRow, photos: tuple[Photo, ...]) -> Line:
    registry, data = services().sync.registry, row.record.data
    schema = row.kind.json_schema
    named = worded(lens, registry, row.references)
    shown = dict(row.summary)
    return Line(
        record=row.record.id,
        kind=row.kind,
        label=label_in(lens, row.kind, row.label) or "",
        summary=lens.facts(schema, shown, references=named, without=("flags", row.kind.label)),
        rep=lens.name(str(data.get("sender", row.record.creator))),
        region=lens.name(row.record.region) if row.record.region else "",
        task=words.say(words.TASKS, row.work.task),
        state=state_words(lens, row.kind, data),
        flags=words.flags(lens, row.kind, row.flags),
        left=words.time_left(row.work, services().clock.now()),
        due=lens.local(row.work.due_at),
        photos=photos,
    )
