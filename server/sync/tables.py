"""Tables of the record engine. Rows hang on integer keys, with the client's UUIDv7 beside them.

Times stand here as RFC 3339 text in UTC, which sorts, reads the same on every database and goes
out as it is. ``data``, ``body`` and ``changed`` are canonical JSON text.

History and feed name records, scopes and mutations without a foreign key: to check each row again
cost PostgreSQL more than to write it (measured), what they name is never deleted, and ``verify``
compares them.
"""

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base

Key = BigInteger().with_variant(Integer, "sqlite")

PUT, WITHDRAWAL, LEAVE = 0, 1, 2


class Epoch(Base):
    """P1: version numbers and cursors compare only inside one epoch; a restore starts another."""

    __tablename__ = "epoch"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    reason: Mapped[str] = mapped_column(Text)
    started_at: Mapped[str] = mapped_column(String(30))


class Scope(Base):
    """One scope; the sequencer keeps its count and digest in step with the numbered feed."""

    __tablename__ = "scope"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    last_seq: Mapped[int] = mapped_column(Key, default=0)
    records: Mapped[int] = mapped_column(Key, default=0)
    digest: Mapped[int] = mapped_column(Key, default=0)
    """The sum of PROTOCOL's scope digest, as a signed 64-bit number."""


class Record(Base):
    """The head of a record: what it is now."""

    __tablename__ = "record"
    __table_args__ = (
        Index(
            "ix_record_parent",
            "parent",
            sqlite_where=text("parent IS NOT NULL"),
            postgresql_where=text("parent IS NOT NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(Key)
    state: Mapped[int] = mapped_column(SmallInteger)
    parent: Mapped[int | None] = mapped_column(Key)
    creator: Mapped[str] = mapped_column(String(36))
    region: Mapped[str | None] = mapped_column(String(36))
    scopes: Mapped[str] = mapped_column(Text)
    """JSON list of scope names, sorted."""
    data: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(16))
    field_versions: Mapped[str] = mapped_column(Text)
    """JSON: field → [version, device, n, last version by any other device]."""
    created_at: Mapped[str] = mapped_column(String(30))
    updated_at: Mapped[str] = mapped_column(String(30))
    aged: Mapped[bool] = mapped_column(default=False)
    """Closed so long ago that devices no longer hold it; whoever may write it still may."""


class MutationRow(Base):
    """P2, P6: every mutation as it was sealed, with what became of it. Never deleted."""

    __tablename__ = "mutation"
    __table_args__ = (
        Index(
            "ix_mutation_device_n",
            "device",
            "n",
            sqlite_where=text("device IS NOT NULL"),
            postgresql_where=text("device IS NOT NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    writer: Mapped[str] = mapped_column(String(10))
    user: Mapped[str] = mapped_column(String(36))
    device: Mapped[str | None] = mapped_column(String(36))
    n: Mapped[int | None] = mapped_column(Key)
    body: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(String(64))
    prev: Mapped[str | None] = mapped_column(String(64))
    sig: Mapped[str | None] = mapped_column(String(100))
    digest: Mapped[str | None] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(10))
    forked: Mapped[bool] = mapped_column()
    """Another mutation had its (device, n) before."""
    epoch: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(10))
    code: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int | None] = mapped_column(Key)
    result: Mapped[str] = mapped_column(Text)
    """JSON of what else the outcome says: fields, conflicts, flags, wrong fields, awaited ids."""
    received_at: Mapped[str] = mapped_column(String(30))


class ReusedMutation(Base):
    """P6: other content that came under a known mutation id; kept by (id, content)."""

    __tablename__ = "reused_mutation"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    content: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(String(36), primary_key=True)
    device: Mapped[str | None] = mapped_column(String(36))
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[str] = mapped_column(String(30))


class Unapplied(Base):
    """A mutation without effect, by the record it aimed at: ``waiting`` and ``rejected`` ones."""

    __tablename__ = "unapplied"

    mutation: Mapped[int] = mapped_column(ForeignKey("mutation.key"), primary_key=True)
    record: Mapped[str] = mapped_column(String(36), index=True)
    user: Mapped[str] = mapped_column(String(36))
    creates: Mapped[bool] = mapped_column()
    """Whether it would have brought the record into being."""


class Awaited(Base):
    """What a waiting mutation waits for: a record's or a mutation's id, or ``kind:<name>``."""

    __tablename__ = "awaited"

    awaited: Mapped[str] = mapped_column(String(80), primary_key=True)
    mutation: Mapped[int] = mapped_column(ForeignKey("mutation.key"), primary_key=True)
    looked_at: Mapped[str] = mapped_column(String(30), default="")
    """When the sweep last looked at it; empty: never."""


class RecordVersion(Base):
    """P6, B4: append-only history; ``changed`` is field → [old, new], or all data at version 1."""

    __tablename__ = "record_version"

    record: Mapped[int] = mapped_column(Key, primary_key=True)
    version: Mapped[int] = mapped_column(Key, primary_key=True)
    mutation: Mapped[int] = mapped_column(Key)
    user: Mapped[str] = mapped_column(String(36))
    device: Mapped[str | None] = mapped_column(String(36))
    writer: Mapped[str] = mapped_column(String(10))
    epoch: Mapped[int] = mapped_column(Integer)
    """P1: the number of the epoch that gave the version its number."""
    state: Mapped[int] = mapped_column(SmallInteger)
    changed: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(30))


class Claim(Base):
    """K2: who holds a claim key, from the commit that took it; vacant where ``record`` is empty."""

    __tablename__ = "claim"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    record: Mapped[str] = mapped_column(String(36), default="")
    captured: Mapped[str | None] = mapped_column(Text)


class Feed(Base):
    """P4: the server-ordered list of changes; the newest row per (scope, record) is kept.

    ``seq`` is given after the commit by the sequencer on PostgreSQL and in the write transaction
    on SQLite; ``digest`` is the record's part of the scope digest (0 when it is not live).
    """

    __tablename__ = "feed"
    __table_args__ = (
        Index("ix_feed_scope_seq", "scope", "seq"),
        Index("ix_feed_record_scope", "record", "scope"),
        Index(
            "ix_feed_unnumbered",
            "key",
            sqlite_where=text("seq IS NULL"),
            postgresql_where=text("seq IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    seq: Mapped[int | None] = mapped_column(Key)
    scope: Mapped[int] = mapped_column(Key)
    record: Mapped[int] = mapped_column(Key)
    item: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int] = mapped_column(Key)
    digest: Mapped[int] = mapped_column(Key)


class DeviceScope(Base):
    """P5: what a device was given by its pulls: which scopes, from when, until when."""

    __tablename__ = "device_scope"

    device: Mapped[str] = mapped_column(String(36), primary_key=True)
    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    gained_at: Mapped[str] = mapped_column(String(30))
    lost_at: Mapped[str | None] = mapped_column(String(30))


class DeviceLoss(Base):
    """A record that left a device's scopes, once a pull has said so."""

    __tablename__ = "device_loss"

    device: Mapped[str] = mapped_column(String(36), primary_key=True)
    record: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[str] = mapped_column(String(30))


class FeedHead(Base):
    """The last number given; locked by the one-at-a-time sequencer."""

    __tablename__ = "feed_head"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(Key)
    floor: Mapped[int] = mapped_column(Key, default=0)
    """Withdrawals and leaves up to here were removed; an older cursor must begin anew."""


class Stretch(Base):
    """P1: the feed from one start of a server to the next; its name tells it from one that a store
    had before an older copy took its place."""

    __tablename__ = "feed_stretch"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(16), unique=True)
    began: Mapped[int] = mapped_column(Key)
    """The last number that was given before it."""


class FeedMark(Base):
    """Where the feed stood at the start of a day, so that rows need no time of their own."""

    __tablename__ = "feed_mark"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    seq: Mapped[int] = mapped_column(Key)
