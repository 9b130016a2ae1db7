"""Tables of uploads, blobs, what arrived for whom, and pictures made from blobs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Moment


class Blob(Base):
    """Bytes named by their SHA-256 (M2); ``content`` is empty until somebody looked inside."""

    __tablename__ = "blob"

    key: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    placed_at: Mapped[datetime] = mapped_column(Moment)
    content: Mapped[str | None] = mapped_column(String(20), index=True)
    reason: Mapped[str | None] = mapped_column(String(40))
    type: Mapped[str | None] = mapped_column(String(80))
    width: Mapped[int | None]
    height: Mapped[int | None]
    claims: Mapped[dict[str, Any] | None] = mapped_column(JSON)


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


class Upload(Base):
    """One tus upload. ``received`` counts durable bytes only (M1); ``lease`` names its writer."""

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
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    lease: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class Arrival(Base):
    """What became of the bytes of one part of one photo, as brought by one user.

    ``due_at`` is set while whoever keeps the record has not yet been told.
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
