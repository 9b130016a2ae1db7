"""Open items: one table, everybody's queue."""

from sqlalchemy import BigInteger, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base

Key = BigInteger().with_variant(Integer, "sqlite")


class Item(Base):
    """B1: what waits, for which role, since when and until when; at most one open per record."""

    __tablename__ = "item"
    __table_args__ = (
        Index(
            "uq_item_open",
            "record",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(
            "ix_item_queue",
            "role",
            "due_at",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    record: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(64))
    region: Mapped[str | None] = mapped_column(String(36))
    role: Mapped[str] = mapped_column(String(40))
    task: Mapped[str] = mapped_column(String(40))
    opened_at: Mapped[str] = mapped_column(String(30))
    due_at: Mapped[str] = mapped_column(String(30))
    closed_at: Mapped[str | None] = mapped_column(String(30))
    closed_by: Mapped[str | None] = mapped_column(String(36))
