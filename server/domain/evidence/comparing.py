"""B3, R1: compares photos with everything ever received, and writes down what is alike."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from server.domain.evidence.actions import SERVER
from server.domain.evidence.rules import (
    Shot,
    b3_is_one_occasion,
    b3_weight,
    b3_why,
    moment_of,
)
from server.domain.review.actions import write_version
from server.media.engine import Media
from server.media.similarity_search import (
    Asked,
    Limits,
    Pair,
    Similar,
    find_similar,
    list_comparisons,
    note_pair,
    pairs_after,
    settle_comparison,
)
from server.people.regions import nearest_common
from server.policy import Photos
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_record, find_records

KIND = "photo_match"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """Another photo, ranked."""

    other: Similar
    shot: Shot
    why: list[str]
    days: int
    weight: int


def compare_photos(
    session: Session, sync: Sync, media: Media, limits: Photos, *, seconds: float
) -> int:
    """Compares photos that are to be compared, for about so many ``seconds``; how many were.

    P8: one that fails is left for the next time and stands in nobody's way. Repeated after a
    kill, it writes nothing a second time.
    """
    clock, done = media.clock, 0
    until = clock.monotonic() + seconds
    for asked in list_comparisons(session):
        if done and clock.monotonic() >= until:
            break
        try:
            _compare(session, sync, media, asked, limits)
            settle_comparison(session, asked)
            done += 1
        except Exception:
            session.rollback()
            log.exception("photo_not_compared", photo=asked.photo)
    return done


def _compare(session: Session, sync: Sync, media: Media, asked: Asked, limits: Photos) -> None:
    bits = Limits(near=limits.near, reshot=limits.reshot)
    arrived, found = find_similar(session, media.prints, asked, bits)
    shots = _shots(session, [asked.photo, *(one.photo for one in found)])
    own = shots.get(asked.photo)
    if own is None:
        return
    judged = [_judge(own, shots[one.photo], one) for one in found if one.photo in shots]
    ranked = sorted((one for one in judged if one), key=lambda one: -one.weight)
    for one in ranked[: limits.most_matches]:
        pair = (own, one.shot) if arrived > one.other.arrived else (one.shot, own)
        noted = note_pair(session, pair[0].photo, pair[1].photo)
        if find_record(session, noted.record) is None:
            _write(
                session, sync, noted, one, nearest_common(session, [pair[0].region, pair[1].region])
            )


def _judge(own: Shot, shot: Shot, other: Similar) -> _Judged | None:
    """None where the two were taken on one occasion."""
    if b3_is_one_occasion(own, shot):
        return None
    why, days = b3_why(own, shot, turned=other.turned)
    return _Judged(other=other, shot=shot, why=why, days=days, weight=b3_weight(other.tier, why))


def _write(session: Session, sync: Sync, pair: Pair, one: _Judged, region: str | None) -> None:
    values = {
        "tier": one.other.tier,
        "photo": pair.photo,
        "earlier": pair.earlier,
        "distance": one.other.distance,
        "why": one.why,
        "days": one.days,
        "weight": one.weight,
        "flags": [],
    }
    values |= {"region": region} if region else {}
    _push(session, sync, {"action": "create", "record": pair.record, "base": 0, "set": values})


def _push(session: Session, sync: Sync, said: dict[str, Any]) -> None:
    mutation = {"id": sync.ids.new(), "kind": KIND, **said}
    envelope = Envelope(sender=SERVER, writer="server")
    [result] = push_batch(sync, session, envelope, [mutation]).results
    write_version(result)


def _shots(session: Session, photos: Iterable[str]) -> dict[str, Shot]:
    """The live photos among ``photos``, with the visit and the customer that they belong to."""
    found = find_records(session, photos)
    parents = find_records(session, [one.parent for one in found.values() if one.parent])
    visits = find_records(session, [_visit_of(parent) for parent in parents.values()])
    return {
        id_: _shot(photo, parents[photo.parent], visits)
        for id_, photo in found.items()
        if photo.live and photo.kind == "photo" and photo.parent in parents
    }


def _visit_of(parent: StoredRecord) -> str:
    """The id of the visit behind a record: itself, or the one that it names, or none."""
    return parent.id if parent.kind == "visit" else str(parent.data.get("visit", ""))


def _shot(photo: StoredRecord, parent: StoredRecord, visits: dict[str, StoredRecord]) -> Shot:
    visit = visits.get(_visit_of(parent))
    own = parent.id if parent.kind == "customer" else parent.data.get("customer")
    return Shot(
        photo=photo.id,
        parent=parent.id,
        parent_kind=parent.kind,
        visit=visit.id if visit else None,
        customer=own or (visit.data.get("customer") if visit else None),
        rep=photo.creator,
        region=photo.region,
        at=moment_of(photo.data, photo.created_at),
    )


def follow_photos(session: Session, sync: Sync) -> int:
    """P5: a match goes where its photos have gone; how many did."""
    moved, last = 0, ""
    while pairs := pairs_after(session, last):
        last = pairs[-1].record
        wanted = [id_ for pair in pairs for id_ in asdict(pair).values()]
        records = find_records(session, wanted)
        moved += sum(_follow(session, sync, records, pair) for pair in pairs)
    return moved


def _follow(session: Session, sync: Sync, records: dict[str, StoredRecord], pair: Pair) -> bool:
    if not {pair.record, pair.photo, pair.earlier} <= records.keys():
        return False
    match = records[pair.record]
    region = nearest_common(session, [records[pair.photo].region, records[pair.earlier].region])
    if region == match.region:
        return False
    change = {"set": {"region": region}} if region else {"set": {}, "unset": ["region"]}
    _push(session, sync, {"action": "patch", "record": match.id, "base": match.version, **change})
    return True
