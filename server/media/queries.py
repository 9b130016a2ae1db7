"""The one door for readers of this room."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from server.media.tables import Arrival, Blob, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Bytes that are verified for a photo."""

    photo: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something about the bytes of a photo that the keeper of its record was not told yet."""

    key: int
    photo: str
    user: str
    sha256: str
    state: str
    content: str | None
    reason: str | None
    type: str | None
    width: int | None
    height: int | None
    frames: int | None
    claims: dict[str, Any] | None
    dropped: dict[str, Any] | None
    sharpness: int | None
    brightness: int | None
    fault: str | None
    turn: int
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A blob to serve: from the store of originals, or from that of pictures."""

    sha256: str
    bytes: int
    derived: bool


UNTOLD = (
    select(
        Arrival.key,
        Arrival.photo,
        Arrival.user,
        Arrival.sha256,
        Arrival.state,
        Arrival.turn,
        Arrival.tries,
        Blob.content,
        Blob.reason,
        Blob.type,
        Blob.width,
        Blob.height,
        Blob.frames,
        Blob.claims,
        Blob.dropped,
        Blob.sharpness,
        Blob.brightness,
        Blob.fault,
    )
    .outerjoin(Blob, Blob.sha256 == Arrival.sha256)
    .order_by(Arrival.due_at, Arrival.key)
    .limit(bindparam("limit_"))
)
DUE = UNTOLD.where(Arrival.due_at <= bindparam("at_"))
PUT_OFF = UNTOLD.where(Arrival.due_at > bindparam("at_"))


def find_verified(session: Session, user: str, hashes: Collection[str]) -> list[Arrived]:
    """The photos whose originals ``user`` brought and that have one of ``hashes``.

    M4: bytes that were found missing or changed are not among them.
    """
    rows = session.execute(
        select(Arrival.photo, Blob.sha256, Blob.bytes)
        .join(Blob, Blob.sha256 == Arrival.sha256)
        .where(
            Arrival.user == user,
            Arrival.sha256.in_(hashes),
            Arrival.state == "verified",
            Arrival.part == "original",
            Blob.fault.is_(None),
        )
        .order_by(Arrival.key)
    )
    return [Arrived(photo=row.photo, sha256=row.sha256, bytes=row.bytes) for row in rows]


def list_blobs(session: Session, *, after: int, limit: int) -> list[tuple[int, str, int]]:
    """(key, SHA-256, size) of the blobs behind ``after``, in the order of their keys."""
    wanted = select(Blob.key, Blob.sha256, Blob.bytes).where(Blob.key > after)
    found = session.execute(wanted.order_by(Blob.key).limit(limit))
    return [(row.key, row.sha256, row.bytes) for row in found]


def known_blobs(session: Session, hashes: Collection[str]) -> set[str]:
    """Those of ``hashes`` that were noted as verified."""
    return set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(hashes))))


def find_held(session: Session, photo: str, sha256: str, *, user: str | None = None) -> Held | None:
    """The verified bytes ``sha256`` of ``photo``, whichever part they are; None before that.

    With ``user`` only those that this user brought.
    """
    brought = [Arrival.photo == photo, Arrival.sha256 == sha256, Arrival.state == "verified"]
    brought += [] if user is None else [Arrival.user == user]
    size = session.scalar(
        select(Blob.bytes).join(Arrival, Arrival.sha256 == Blob.sha256).where(*brought).limit(1)
    )
    return None if size is None else Held(sha256=sha256, bytes=size, derived=False)


def find_picture(session: Session, original: str, name: str) -> Held | None:
    """The picture ``name`` (``preview`` or ``thumbnail``) made from the blob ``original``."""
    row = session.execute(
        select(Picture.sha256, Picture.bytes)
        .join(Blob, Blob.key == Picture.blob)
        .where(Blob.sha256 == original, Picture.name == name)
    ).one_or_none()
    return row and Held(sha256=row.sha256, bytes=row.bytes, derived=True)


def find_due(session: Session, now: datetime, limit: int) -> list[Due]:
    """Arrivals whose keeper is to be told, longest waiting first."""
    return _read(session, DUE, now, limit)


def find_put_off(session: Session, latest: datetime, limit: int) -> list[Due]:
    """Arrivals whose keeper is to be told, but only after ``latest``; the nearest first."""
    return _read(session, PUT_OFF, latest, limit)


def _read(session: Session, which: Select[*tuple[Any, ...]], at: datetime, limit: int) -> list[Due]:
    rows = session.connection().execute(which, {"at_": at, "limit_": limit})
    return [Due(**row) for row in rows.mappings()]
