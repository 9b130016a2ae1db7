"""Tables of the journal. They are used on SQLite only; PostgreSQL archives its own log."""

from sqlalchemy import BigInteger, Integer, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base

Key = BigInteger().with_variant(Integer, "sqlite")


class JournalEntry(Base):
    """One row that the running transaction changed; between transactions there is none."""

    __tablename__ = "journal_entry"

    key: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    """The table."""
    gone: Mapped[bool] = mapped_column()
    """Whether the row was deleted."""
    row: Mapped[str] = mapped_column(Text)
    """JSON of its columns as the file holds them; bytes in hex."""


class JournalHead(Base):
    """P3: the last line of the journal that this store has taken part in."""

    __tablename__ = "journal_head"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    place: Mapped[int] = mapped_column(Key)
    """Where that line begins in its file, in bytes."""
