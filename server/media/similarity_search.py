"""R1, B3: which photos show what another one shows. All SQL of comparing is here."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.db import transaction
from server.ids import derive_id
from server.media.similarity_scan import Near, PrintMatrix
from server.media.tables import Arrival, Blob, Comparison, Match, Print

Tier = Literal["same_file", "same_jpeg", "near", "reshot"]

WINDOW = 10_000
"""Keys below the newest one that are asked for again: a transaction may commit late."""
PAGE = 100
MOST_BLOBS = 500
"""The nearest so many pictures are looked at; a form that everybody photographs has thousands."""
MOST_PHOTOS = 200
"""Photos that one is held against in detail, the likest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bits of 256 in which two pictures may differ; see ``similarity``."""

    near: int
    reshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A photo that is to be compared."""

    key: int
    photo: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """Another photo with the same or a like picture. ``arrived`` orders arrivals, ours too."""

    photo: str
    arrived: int
    tier: Tier
    distance: int
    turned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two photos that match; ``record`` says so."""

    record: str
    photo: str
    earlier: str


@dataclass(frozen=True, slots=True)
class _Likeness:
    tier: Tier
    distance: int = 0
    turned: bool = False


def ask_comparison(session: Session, photo: str, sha256: str) -> None:
    """Puts a photo down to be compared; once, however often it is asked."""
    with transaction(session):
        _insert(session, Comparison, {"photo": photo, "sha256": sha256}, "photo")


def list_comparisons(session: Session) -> Iterator[Asked]:
    """The photos that are to be compared, in the order in which they came."""
    last = 0
    while True:
        rows = session.execute(
            select(Comparison.key, Comparison.photo, Comparison.sha256)
            .where(Comparison.key > last)
            .order_by(Comparison.key)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        last = rows[-1].key
        yield from (Asked(key=row.key, photo=row.photo, sha256=row.sha256) for row in rows)


def settle_comparison(session: Session, asked: Asked) -> None:
    """Takes a photo off the list."""
    with transaction(session):
        session.execute(delete(Comparison).where(Comparison.key == asked.key))


def find_similar(
    session: Session, matrix: PrintMatrix, asked: Asked, limits: Limits
) -> tuple[int, list[Similar]]:
    """(when this photo arrived, the others that are like it, the likest first)."""
    likeness = _like(session, matrix, asked, limits)
    arrived = select(Arrival.key, Arrival.photo, Blob.key.label("blob")).where(
        Arrival.sha256 == Blob.sha256, Arrival.part == "original", Arrival.state == "verified"
    )
    own = session.scalar(arrived.where(Arrival.photo == asked.photo).order_by(Arrival.key).limit(1))
    others = session.execute(
        arrived.where(Blob.key.in_(likeness), Arrival.photo != asked.photo)
        .order_by(Arrival.key.desc())
        .limit(MOST_PHOTOS * 10)
    )
    found = [_similar(row, likeness[row.blob]) for row in others]
    found.sort(key=lambda one: (one.distance, one.arrived))
    return own or 0, found[:MOST_PHOTOS]


def _similar(row: Any, likeness: _Likeness) -> Similar:
    return Similar(
        photo=row.photo,
        arrived=row.key,
        tier=likeness.tier,
        distance=likeness.distance,
        turned=likeness.turned,
    )


def _like(
    session: Session, matrix: PrintMatrix, asked: Asked, limits: Limits
) -> dict[int, _Likeness]:
    """Blob → how it is like the one asked for; a stronger tier outweighs a weaker one."""
    own = session.execute(
        select(Blob.key, Blob.bare_sha256).where(Blob.sha256 == asked.sha256, Blob.bytes > 0)
    ).one_or_none()
    if own is None:
        return {}
    found = {near.blob: _grade(near, limits) for near in _scan(session, matrix, own.key, limits)}
    if own.bare_sha256 is not None:
        bare = select(Blob.key).where(Blob.bare_sha256 == own.bare_sha256)
        keys = session.scalars(bare.order_by(Blob.key.desc()).limit(MOST_BLOBS))
        found |= dict.fromkeys(keys, _Likeness("same_jpeg"))
    return {**found, own.key: _Likeness("same_file")}


def _grade(near: Near, limits: Limits) -> _Likeness:
    tier: Tier = "near" if near.distance <= limits.near else "reshot"
    return _Likeness(tier, near.distance, near.turned)


def _scan(session: Session, matrix: PrintMatrix, blob: int, limits: Limits) -> Iterable[Near]:
    """What is near to one of the blob's hashes, the nearest of each blob last."""
    bits = list(session.scalars(select(Print.bits).where(Print.blob == blob)))
    with matrix.lock:
        _refresh(session, matrix)
        found = [near for one in bits for near in matrix.find(one, limits.reshot)]
    return sorted(found, key=lambda near: near.distance)[:MOST_BLOBS][::-1]


def _refresh(session: Session, matrix: PrintMatrix) -> None:
    """Adds what was stored since, by this process or another one."""
    after = max(matrix.last - WINDOW, 0)
    rows = session.execute(
        select(Print.key, Print.blob, Print.bits).where(Print.key > after).order_by(Print.key),
        execution_options={"yield_per": WINDOW},
    )
    for page in rows.partitions():
        matrix.add(((row.key, row.blob, row.bits) for row in page), window=WINDOW)


def note_pair(session: Session, photo: str, earlier: str) -> Pair:
    """The pair of two photos, with the id of the record about it: the same one at every call.

    An answer that a journal kept finds its record again, also where a restore has lost it.
    """
    pair = Pair(record=derive_id(photo, earlier), photo=photo, earlier=earlier)
    with transaction(session):
        _insert(session, Match, asdict(pair), "record")
    return pair


def _insert(session: Session, table: Any, values: dict[str, Any], *unique: str) -> None:
    """A row, unless there is one."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = dialect.insert(table).values(**values)
    session.execute(row.on_conflict_do_nothing(index_elements=list(unique)))


def pairs_about(session: Session, photos: Iterable[str]) -> list[Pair]:
    """The pairs in which one of ``photos`` is."""
    wanted = sorted(set(photos))
    return _pairs(session, Match.photo.in_(wanted) | Match.earlier.in_(wanted))


def pairs_after(session: Session, record: str) -> list[Pair]:
    """The next page of all pairs, in the order of their records."""
    return _pairs(session, Match.record > record, PAGE)


def _pairs(session: Session, wanted: Any, limit: int | None = None) -> list[Pair]:
    pairs = select(Match.record, Match.photo, Match.earlier).where(wanted)
    rows = session.execute(pairs.order_by(Match.record).limit(limit))
    return [Pair(record=row.record, photo=row.photo, earlier=row.earlier) for row in rows]
