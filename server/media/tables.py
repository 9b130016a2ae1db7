"""Tables of uploads, blobs, what arrived for whom, and pictures made from blobs."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Moment


class Blob(Base):
    """Bytes named by their SHA-256 (M2); ``content`` is empty until somebody looked inside."""

    __tablename__ = "blob"
    __table_args__ = (Index("ix_blob_place_placed_at", "place", "placed_at"),)

    key: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    placed_at: Mapped[datetime] = mapped_column(Moment)
    place: Mapped[str] = mapped_column(String(10), default="local", server_default="local")
    """How far it is on its way to the bucket: ``local``, ``copied``, ``verified``, ``resting``."""
    hashed_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    """When its bytes were last read and hashed."""
    fault: Mapped[str | None] = mapped_column(String(10))
    """What was found then: bytes that are ``missing``, or that ``differ`` from their name."""
    content: Mapped[str | None] = mapped_column(String(20), index=True)
    reason: Mapped[str | None] = mapped_column(String(40))
    type: Mapped[str | None] = mapped_column(String(80))
    width: Mapped[int | None]
    height: Mapped[int | None]
    frames: Mapped[int | None]
    claims: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    dropped: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Claims that made no sense, with why."""
    sharpness: Mapped[int | None]
    brightness: Mapped[int | None]
    bare_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    """Of a JPEG without its metadata."""


class Picture(Base):
    """A picture re-encoded from a blob, kept in the store of pictures under its own hash."""

    __tablename__ = "picture"
    __table_args__ = (UniqueConstraint("blob", "name"),)

    key: Mapped[int] = mapped_column(primary_key=True)
    blob: Mapped[int] = mapped_column(ForeignKey("blob.key"))
    name: Mapped[str] = mapped_column(String(10))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]


class Orphan(Base):
    """A blob that no row names, since when; it goes when it was one for long enough."""

    __tablename__ = "orphan"
    __table_args__ = (UniqueConstraint("store", "sha256"),)

    key: Mapped[int] = mapped_column(primary_key=True)
    store: Mapped[str] = mapped_column(String(10))
    """``originals`` or ``pictures``."""
    sha256: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(Moment)


class Upload(Base):
    """One tus upload. ``received`` counts durable bytes only (M1); ``lease`` rises
    with each request that asks where to go on, and whoever wrote before loses it.

    A partial upload is of no photo: what joins it is.
    """

    __tablename__ = "upload"
    __table_args__ = (
        UniqueConstraint("user", "upload"),
        Index("ix_upload_state_expires_at", "state", "expires_at"),
    )

    key: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    user: Mapped[str] = mapped_column(String(36))
    upload: Mapped[str] = mapped_column(String(80))
    photo: Mapped[str] = mapped_column(String(36), index=True)
    part: Mapped[str] = mapped_column(String(10))
    sha256: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(Text)
    length: Mapped[int | None] = mapped_column(BigInteger)
    """None until the client says it."""
    partial: Mapped[bool] = mapped_column(default=False, server_default=false())
    joins: Mapped[list[str] | None] = mapped_column(JSON)
    """Ids of the partial uploads that it is made of, in order."""
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    lease: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""P8: earlier than whatever the server's clock says, also when it is set back."""


class Arrival(Base):
    """What became of the bytes of one part of one photo, as brought by one user.

    ``due_at`` is set while whoever keeps the record has not yet been told; news are due
    :data:`AT_ONCE`, what could not be told is due later.
    """

    __tablename__ = "arrival"
    __table_args__ = (
        UniqueConstraint("photo", "user", "part"),
        Index("ix_arrival_user_sha256", "user", "sha256"),
    )

    key: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(String(36))
    user: Mapped[str] = mapped_column(String(36))
    part: Mapped[str] = mapped_column(String(10))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    turn: Mapped[int] = mapped_column(default=0)
    """Counts what there was to tell, so that news which come during the telling are not missed."""
    tries: Mapped[int] = mapped_column(default=0)


class Print(Base):
    """R1, B3: 256 bits by which a blob is recognised; up to two of one picture."""

    __tablename__ = "picture_print"

    key: Mapped[int] = mapped_column(primary_key=True)
    blob: Mapped[int] = mapped_column(ForeignKey("blob.key", ondelete="CASCADE"), index=True)
    bits: Mapped[bytes] = mapped_column(LargeBinary(32))


class Comparison(Base):
    """A photo that is to be compared with everything ever received."""

    __tablename__ = "photo_comparison"

    key: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(String(36), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))


class Match(Base):
    """Two photos that show the same, once; ``record`` is the id of what is written about it."""

    __tablename__ = "photo_match"
    __table_args__ = (UniqueConstraint("photo", "earlier"),)

    key: Mapped[int] = mapped_column(primary_key=True)
    record: Mapped[str] = mapped_column(String(36), unique=True)
    photo: Mapped[str] = mapped_column(String(36))
    """The one whose bytes came later."""
    earlier: Mapped[str] = mapped_column(String(36), index=True)
