"""Tables of people, regions, devices and sessions."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Moment


class Region(Base):
    """A node of the region tree; ``path`` lists the ids from the root, each between slashes."""

    __tablename__ = "region"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("region.id"))
    path: Mapped[str] = mapped_column(Text, unique=True)
    level: Mapped[str] = mapped_column(String(40))
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)


class User(Base):
    """A person. ``home_region`` places what the person records without a customer."""

    __tablename__ = "app_user"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(Text)
    password: Mapped[str | None] = mapped_column(Text)
    home_region: Mapped[str | None] = mapped_column(ForeignKey("region.id"))
    zone: Mapped[str] = mapped_column(String(60), default="Asia/Shanghai")
    language: Mapped[str] = mapped_column(String(10), default="zh-CN")
    email: Mapped[str | None] = mapped_column(Text)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)


class RoleGrant(Base):
    """A role of a user in a region and below; without a region, in the whole company."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("user", "role", "region"),)

    key: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("app_user.id"), index=True)
    role: Mapped[str] = mapped_column(String(40))
    region: Mapped[str | None] = mapped_column(ForeignKey("region.id"))


class Device(Base):
    """One person, one store, one key: id, user and key are bound for ever."""

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("app_user.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(String(40))
    app: Mapped[str] = mapped_column(String(40))
    origin: Mapped[str] = mapped_column(Text)
    alg: Mapped[str] = mapped_column(String(10))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    enrolled_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    erase: Mapped[str | None] = mapped_column(String(10))
    forked_from: Mapped[str | None] = mapped_column(String(36))
    """The device whose copied store goes on under this one."""


class EnrolCode(Base):
    """A one-time code, kept as its hash; what it was used for answers a repeated request."""

    __tablename__ = "enrol_code"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("app_user.id"))
    expires_at: Mapped[datetime] = mapped_column(Moment)
    device: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    session: Mapped[str | None] = mapped_column(String(36))


class Session(Base):
    """A login of a device or a browser; read on every request, so that revoking acts at once."""

    __tablename__ = "session"
    __table_args__ = (Index("ix_session_user", "user"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("app_user.id"))
    device: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    browser_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class RefreshToken(Base):
    """One link of a session's refresh chain; ``rotation`` is the one that made its successor."""

    __tablename__ = "refresh_token"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session: Mapped[str] = mapped_column(ForeignKey("session.id"), index=True)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    rotation: Mapped[str | None] = mapped_column(String(80))
    successor: Mapped[str | None] = mapped_column(String(64))
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class Attempt(Base):
    """Failed tries of one subject (an address, an account), for slowing them down."""

    __tablename__ = "attempt"

    subject: Mapped[str] = mapped_column(String(160), primary_key=True)
    tries: Mapped[int] = mapped_column()
    until: Mapped[datetime] = mapped_column(Moment)


class AuditEntry(Base):
    """What happened to accounts, devices and sessions, and who opened what is confidential (K4)."""

    __tablename__ = "audit_entry"

    key: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    what: Mapped[str] = mapped_column(String(40))
    user: Mapped[str | None] = mapped_column(String(36), index=True)
    device: Mapped[str | None] = mapped_column(String(36))
    record: Mapped[str | None] = mapped_column(String(36), index=True)
    address: Mapped[str | None] = mapped_column(String(80))
