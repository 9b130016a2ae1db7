"""The versions of the policy. None is ever changed or removed."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Moment


class PolicyVersion(Base):
    """One version, as it was written; the highest number is in force."""

    __tablename__ = "policy_version"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[str] = mapped_column(Text)
    """TOML, with every key that there was when it was applied."""
    sha256: Mapped[str] = mapped_column(String(64))
    applied_at: Mapped[datetime] = mapped_column(Moment)
    applied_by: Mapped[str | None] = mapped_column(String(36))
    """The person who is said to have done it; None: the installation itself."""
