"""Open items: one table, everybody's queue."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base

Key = BigInteger().with_variant(Integer, "sqlite")
OPEN = text("closed_at IS NULL")
TOLD_ON = text("closed_at IS NULL AND escalated_to IS NOT NULL")
WARNED = text("warned_at IS NOT NULL")
MISSED = text("missed_at IS NOT NULL")
OPEN_MISSED = text("closed_at IS NULL AND missed_at IS NOT NULL")
RUNNING = text("closed_at IS NULL AND paused_at IS NULL")
WITHIN_A_QUEUE = ("due_at", "key", "region", "person", "kind")
"""The order of a queue, and what decides whose it is and how much it counts: read alone."""


class Item(Base):
    """B1, X8: what waits or waited, for whom, and its clock; one open at most a record and task.

    A closed item stays, so that every clock of a record can be seen for ever.
    """

    __tablename__ = "item"
    __table_args__ = (
        Index(
            "uq_item_open",
            "record",
            "task",
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        ),
        Index(
            "ix_item_queue",
            "role",
            *WITHIN_A_QUEUE,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        ),
        Index(
            "ix_item_escalated",
            "escalated_to",
            *WITHIN_A_QUEUE,
            "role",
            sqlite_where=TOLD_ON,
            postgresql_where=TOLD_ON,
        ),
        Index("ix_item_next", "next_at", sqlite_where=RUNNING, postgresql_where=RUNNING),
        Index(
            "ix_item_late",
            "kind",
            "task",
            sqlite_where=OPEN_MISSED,
            postgresql_where=OPEN_MISSED,
        ),
        Index("ix_item_record", "record"),
        Index("ix_item_warned_at", "warned_at", sqlite_where=WARNED, postgresql_where=WARNED),
        Index("ix_item_missed_at", "missed_at", sqlite_where=MISSED, postgresql_where=MISSED),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    record: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(64))
    region: Mapped[str | None] = mapped_column(String(36))
    role: Mapped[str] = mapped_column(String(40))
    task: Mapped[str] = mapped_column(String(40))
    person: Mapped[str | None] = mapped_column(String(36))
    opened_at: Mapped[str] = mapped_column(String(30))
    warn_at: Mapped[str] = mapped_column(String(30))
    due_at: Mapped[str] = mapped_column(String(30))
    next_at: Mapped[str] = mapped_column(String(30))
    """When its clock has something to say again."""
    term_seconds: Mapped[int] = mapped_column(BigInteger)
    warn_seconds: Mapped[int] = mapped_column(BigInteger, server_default="0")
    calendar: Mapped[str | None] = mapped_column(Text, deferred=True)
    """JSON: working time as it was when the clock began; None: every hour of every day."""
    escalation: Mapped[str] = mapped_column(String(200))
    """Roles, joined by blanks."""
    escalated: Mapped[int] = mapped_column(Integer)
    """How many of them were told."""
    escalated_to: Mapped[str | None] = mapped_column(String(40))
    warned_at: Mapped[str | None] = mapped_column(String(30))
    missed_at: Mapped[str | None] = mapped_column(String(30))
    paused_at: Mapped[str | None] = mapped_column(String(30))
    pause: Mapped[str | None] = mapped_column(String(40))
    pauses: Mapped[list[Any] | None] = mapped_column(JSON)
    """Those that ended: [from, to, reason]."""
    closed_at: Mapped[str | None] = mapped_column(String(30))
    closed_by: Mapped[str | None] = mapped_column(String(36))


class Absence(Base):
    """From when until when somebody is away, and who acts in their place."""

    __tablename__ = "absence"
    __table_args__ = (Index("ix_absence_deputy", "deputy", "ends_at"),)

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    person: Mapped[str] = mapped_column(String(36))
    deputy: Mapped[str] = mapped_column(String(36))
    begins_at: Mapped[str] = mapped_column(String(30))
    ends_at: Mapped[str] = mapped_column(String(30))
    noted_at: Mapped[str] = mapped_column(String(30))
