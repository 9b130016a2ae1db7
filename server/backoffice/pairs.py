"""B3, K2: what stands on the two sides of a match. Words one record each, and judges nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.backoffice.evidence import PREVIEWED
from server.backoffice.facts import Fact, Lens
from server.backoffice.lenses import label_in, state_words, worded
from server.backoffice.past import captured_at
from server.domain import queries
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import RecordKind
from server.sync.queries import StoredRecord

ABOUT_PHOTO = ("parent", "tag", "source", "captured", "position", "content_reason", "flags")
WHOSE = ("owner", "sender")
"""Fields that name the person to whom a record belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One of the two: the id that the match names, and the record where the reader may open it."""

    id: str
    record: StoredRecord | None
    captured: str
    """What the match says that the device's clock showed; empty where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoSide:
    """One of two photos; only its id where the reader may not open it any more (P5)."""

    photo: str
    rep: str = ""
    region: str = ""
    received: str = ""
    has_picture: bool = False
    has_bytes: bool = False
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSide:
    """One of two records of the same; only its time where the reader may not open it (P5)."""

    captured: str
    record: str = ""
    label: str = ""
    region: str = ""
    received: str = ""
    state: str = ""
    live: bool = True
    facts: tuple[Fact, ...] = ()


def photo_side(reader: Principal, lens: Lens, seen: Seen) -> PhotoSide:
    """B3: the picture, who took it and where."""
    photo = seen.record
    if photo is None:
        return PhotoSide(photo=seen.id)
    return PhotoSide(
        photo=photo.id,
        rep=lens.name(photo.creator),
        region=lens.name(photo.region) if photo.region else "",
        received=lens.moment(photo.created_at),
        has_picture=photo.data.get("content") == PREVIEWED,
        has_bytes=photo.data.get("state") == "verified",
        facts=_facts(reader, lens, photo, ABOUT_PHOTO),
    )


def claim_side(reader: Principal, lens: Lens, seen: Seen) -> ClaimSide:
    """K2, R1: what a record holds alone, what a list shows of it, and whose it is."""
    captured, record = captured_at(lens, {"wall": seen.captured}), seen.record
    if record is None:
        return ClaimSide(captured=captured)
    kind = services().sync.registry.kinds[record.kind]
    return ClaimSide(
        captured=captured,
        record=record.id,
        label=label_in(lens, kind, queries.label_of(kind, record)) or "",
        region=lens.name(record.region) if record.region else "",
        received=lens.moment(record.created_at),
        state=state_words(lens, kind, record.data),
        live=record.live,
        facts=_facts(reader, lens, record, _about_claim(kind)),
    )


def _about_claim(kind: RecordKind) -> set[str]:
    claimed = (name for names in kind.claims for name in names)
    return {*claimed, *kind.summary, *WHOSE}


def _facts(
    reader: Principal, lens: Lens, record: StoredRecord, names: Iterable[str]
) -> tuple[Fact, ...]:
    registry = services().sync.registry
    named = queries.references(db.session(), registry, reader, [record])[record.id]
    return lens.facts(
        registry.kinds[record.kind].json_schema,
        filled_in(record.data, names),
        references=worded(lens, registry, named),
    )


def filled_in(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The fields ``names`` of ``data`` that say something."""
    return {name: data[name] for name in names if data.get(name) not in (None, [])}
