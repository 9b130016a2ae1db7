"""A record in the reader's words: what its page says."""

from dataclasses import dataclass

from server.backoffice import words
from server.backoffice.beneath import Entry, timeline
from server.backoffice.clocks import ClockView, clock_view
from server.backoffice.evidence import Exhibit, photo_exhibits, signature_exhibits
from server.backoffice.facts import Fact, Lens
from server.backoffice.lenses import label_in, lens_for, state_words, worded
from server.backoffice.past import (
    KeptView,
    VersionView,
    captured_at,
    kept_views,
    version_views,
)
from server.backoffice.points import PointView, point_views
from server.backoffice.sight import Sight
from server.backoffice.words import TimeLeft
from server.domain.queries import label_of
from server.domain.review.actions import DECISION
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import RecordKind

TOLD_APART = (*DECISION, "state", "came_from", "sender", "flags", "check_points", "overrides")
"""Fields that have a place of their own on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """Everything that the page of a record shows."""

    id: str
    version: int
    live: bool
    kind: RecordKind
    label: str
    rep: str
    region: str
    state: str
    state_code: str
    captured: str
    received: str
    flags: tuple[tuple[str, str], ...]
    """(words, why)."""
    facts: tuple[Fact, ...]
    decision: tuple[Fact, ...]
    photos: tuple[Exhibit, ...]
    signatures: tuple[Exhibit, ...]
    points: tuple[PointView, ...]
    """X4: the machine's check."""
    timeline: tuple[Entry, ...]
    versions: tuple[VersionView, ...]
    kept: tuple[KeptView, ...]
    clocks: tuple[ClockView, ...]
    """X8: all of them, for ever."""
    paused: bool
    mine: bool
    """Whether it is assigned to the reader."""
    task: str
    role: str
    left: TimeLeft | None
    due: str


def portray(reader: Principal, sight: Sight) -> Portrait:
    """What ``reader`` sees of ``sight``."""
    registry, record, kind = services().sync.registry, sight.record, sight.kind
    lens = lens_for(db.session(), reader, [record, *sight.kept, *sight.beneath], sight.keys())
    facts = lens.facts(
        kind.json_schema,
        record.data,
        references=worded(lens, registry, sight.references),
        without=TOLD_APART,
    )
    work = sight.work
    photos = photo_exhibits(lens, registry, sight.photos, sight.matches)
    signatures = signature_exhibits(lens, registry, sight.signatures)
    return Portrait(
        id=record.id,
        version=record.version,
        live=record.live,
        kind=kind,
        label=label_in(lens, kind, label_of(kind, record)) or "",
        rep=lens.name(str(record.data.get("sender", record.creator))),
        region=lens.name(record.region) if record.region else "",
        state=state_words(lens, kind, record.data),
        state_code=str(record.data.get("state", "")),
        captured=captured_at(lens, sight.versions[0].captured),
        received=lens.moment(record.created_at),
        flags=words.flags(lens, kind, record.data.get("flags", ())),
        facts=facts,
        decision=_decision(lens, sight),
        photos=photos,
        signatures=signatures,
        points=point_views(lens, reader, sight, {"photo": photos, "signature": signatures}),
        timeline=timeline(lens, sight),
        versions=version_views(lens, kind, sight.versions),
        kept=kept_views(lens, reader, kind, sight.kept),
        clocks=tuple(clock_view(lens, one) for one in sight.clocks),
        paused="pause" in record.data,
        mine=record.data.get("assigned_to") == reader.user,
        task=words.say(words.TASKS, work.task) if work else "",
        role=words.say(words.ROLES, work.role) if work else "",
        left=words.time_left(work, services().clock.now()) if work else None,
        due=lens.local(work.due_at) if work else "",
    )


def _decision(lens: Lens, sight: Sight) -> tuple[Fact, ...]:
    data = sight.record.data
    said = {name: data[name] for name in DECISION if name in data}
    return lens.facts(sight.kind.json_schema, said)
