"""Events for other systems, their hooks and deliveries; addresses for notices by e-mail."""

import sqlalchemy as sa
from alembic import op

from server.db import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HELD = sa.text("seq IS NULL")
UNSETTLED = sa.text("settled_at IS NULL")


def upgrade() -> None:
    """Brings the store forward."""
    op.add_column("app_user", sa.Column("email", sa.Text(), nullable=True))
    _create_event()
    _create_hook()
    _create_delivery()
    op.create_table(
        "event_followed",
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_event_followed")),
    )
    op.create_table(
        "event_place",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("feed", KEY, nullable=False),
        sa.Column("issued", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_place")),
    )


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("key", KEY, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("seq", KEY, nullable=True),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("not_before", Moment(timezone=True), nullable=False),
        sa.Column("waits_for", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("issued_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_event")),
        sa.UniqueConstraint("id", name=op.f("uq_event_id")),
        sa.UniqueConstraint("seq", name=op.f("uq_event_seq")),
    )
    for name, column in (("record", "record"), ("until", "not_before")):
        op.create_index(
            f"ix_event_held_{name}", "event", [column], sqlite_where=HELD, postgresql_where=HELD
        )


def _create_hook() -> None:
    op.create_table(
        "hook",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("stopped_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_hook_token_hash")),
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("key", KEY, nullable=False),
        sa.Column("event", KEY, nullable=False),
        sa.Column("hook", sa.String(length=36), nullable=True),
        sa.Column("user", sa.String(length=36), nullable=True),
        sa.Column("next_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(length=80), nullable=False),
        sa.Column("settled_at", Moment(timezone=True), nullable=True),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["event.key"], name=op.f("fk_delivery_event_event")),
        sa.ForeignKeyConstraint(
            ["hook"], ["hook.id"], name=op.f("fk_delivery_hook_hook"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user"], ["app_user.id"], name=op.f("fk_delivery_user_app_user")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_delivery")),
        sa.UniqueConstraint("event", "hook", name=op.f("uq_delivery_event_hook")),
        sa.UniqueConstraint("event", "user", name=op.f("uq_delivery_event_user")),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["next_at"],
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    op.create_index(op.f("ix_delivery_hook"), "delivery", ["hook"])
