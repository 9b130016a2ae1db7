"""Tables of events, hooks and deliveries, and how far the feed has been followed."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Moment

Key = BigInteger().with_variant(Integer, "sqlite")
RIPE = text("issued_at IS NULL AND waits_for = ''")
"""Of an event that waits for nothing but its time."""


class Place(Base):
    """One row: how far feed and clocks were followed, and the last number given to an event."""

    __tablename__ = "event_place"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    feed: Mapped[int] = mapped_column(Key, default=0)
    issued: Mapped[int] = mapped_column(Key, default=0)
    clocks: Mapped[str] = mapped_column(String(30), default="", server_default="")
    """When the newest clock spoke whose events were taken down."""


class Followed(Base):
    """The newest version of a record whose events were taken down."""

    __tablename__ = "event_followed"

    record: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(Key)


class Event(Base):
    """What happened to a record; without a ``seq`` nobody outside has heard of it."""

    __tablename__ = "event"
    __table_args__ = (
        Index(
            "ix_event_held_record",
            "record",
            sqlite_where=text("seq IS NULL"),
            postgresql_where=text("seq IS NULL"),
        ),
        Index("ix_event_ripe", "not_before", sqlite_where=RIPE, postgresql_where=RIPE),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    """Follows from what happened, so that it is the same when it is taken down again."""
    seq: Mapped[int | None] = mapped_column(Key, unique=True)
    type: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(String(36))
    at: Mapped[str] = mapped_column(String(30))
    facts: Mapped[str] = mapped_column(Text)
    """JSON: what the change itself said."""
    not_before: Mapped[datetime] = mapped_column(Moment)
    waits_for: Mapped[str] = mapped_column(Text, default="")
    """JSON: what of the record has not arrived yet; empty: nothing."""
    body: Mapped[str | None] = mapped_column(Text)
    """JSON as it goes out, made once."""
    issued_at: Mapped[datetime | None] = mapped_column(Moment)


class Hook(Base):
    """An address that wants to hear of events."""

    __tablename__ = "hook"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    types: Mapped[str] = mapped_column(Text)
    """JSON list of event types; empty: all."""
    kinds: Mapped[str] = mapped_column(Text)
    """JSON list of kinds of records; empty: all."""
    secret: Mapped[str] = mapped_column(Text)
    """What signs, encrypted under the secrets of the installation."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    stopped_at: Mapped[datetime | None] = mapped_column(Moment)


class Delivery(Base):
    """One event on its way to one hook, or to one person by e-mail; tried until it is settled."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("event", "hook"),
        UniqueConstraint("event", "user"),
        Index(
            "ix_delivery_due",
            "hook",
            "next_at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    event: Mapped[int] = mapped_column(ForeignKey("event.key"))
    hook: Mapped[str | None] = mapped_column(ForeignKey("hook.id", ondelete="CASCADE"), index=True)
    user: Mapped[str | None] = mapped_column(ForeignKey("app_user.id"))
    next_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str] = mapped_column(String(80), default="")
    """What came of the last try, for a person."""
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    """When it arrived or was given up."""
    arrived: Mapped[bool] = mapped_column(default=False)
