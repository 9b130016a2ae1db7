"""Tables of links and of who opened them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Moment


class CaseLink(Base):
    """X6: a link to one record. Its token is known to who was given it; here is only the hash."""

    __tablename__ = "case_link"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(String(36), index=True)
    guest: Mapped[str] = mapped_column(ForeignKey("app_user.id"))
    """The user in whose name is kept what comes by it."""
    made_by: Mapped[str] = mapped_column(String(36))
    made_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    revoked_by: Mapped[str | None] = mapped_column(String(36))
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class LinkOpening(Base):
    """X6: one opening of a link."""

    __tablename__ = "link_opening"

    key: Mapped[int] = mapped_column(Integer, primary_key=True)
    link: Mapped[str] = mapped_column(ForeignKey("case_link.id"), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    network: Mapped[str] = mapped_column(String(50))
    """The network that the request came from, not the single address."""
    agent: Mapped[str] = mapped_column(String(200))
    """What the browser called itself."""
