"""Tables of the worker that follows cases: how far, which to look at, and what each rests on.

All of it can be made again by looking at every case; what a case says stands in its record.
"""

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base

Key = BigInteger().with_variant(Integer, "sqlite")
DUE = text("due_at IS NOT NULL")
LONGEST_NAME = 140
LONGEST_FAILURE = 200


class CasePlace(Base):
    """One row: how far the feed was followed, and under which rules every case was looked at."""

    __tablename__ = "case_place"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    feed: Mapped[int] = mapped_column(Key)
    rules: Mapped[str] = mapped_column(String(64))
    """Names the version of the policy and the regions as they stood."""


class CaseLook(Base):
    """A case that is or was looked at. One that fails waits by itself, and is tried again."""

    __tablename__ = "case_look"
    __table_args__ = (Index("ix_case_look_due", "due_at", sqlite_where=DUE, postgresql_where=DUE),)

    record: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(Key, default=0)
    """The version that was looked at last, or that this look wrote."""
    asked: Mapped[int] = mapped_column(Key, default=0)
    """Rises with each change, so that one that comes during a look is not taken for seen."""
    due_at: Mapped[str | None] = mapped_column(String(30))
    """From when on it shall be looked at; None: nothing has changed since."""
    tries: Mapped[int] = mapped_column(Integer, default=0)
    """Looks that failed, one after the other."""
    failed_at: Mapped[str | None] = mapped_column(String(30))
    """When the first of these failed."""
    failure: Mapped[str | None] = mapped_column(String(LONGEST_FAILURE))
    """What stopped the last of these, without a word of what the record says."""


class CaseBasis(Base):
    """What the findings about a case rest on beside the case itself, as ``batch:B1``."""

    __tablename__ = "case_basis"
    __table_args__ = (Index("ix_case_basis_record", "record"),)

    name: Mapped[str] = mapped_column(String(LONGEST_NAME), primary_key=True)
    record: Mapped[str] = mapped_column(String(36), primary_key=True)
