"""X6: links for people without an account, and who opened them."""

import sqlalchemy as sa
from alembic import op

from server.db import Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the store forward."""
    op.create_table(
        "case_link",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("guest", sa.String(length=36), nullable=False),
        sa.Column("made_by", sa.String(length=36), nullable=False),
        sa.Column("made_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.Column("revoked_by", sa.String(length=36), nullable=True),
        sa.Column("revoked_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["guest"], ["app_user.id"], name=op.f("fk_case_link_guest_app_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_case_link_token_hash")),
    )
    op.create_index(op.f("ix_case_link_record"), "case_link", ["record"], unique=False)
    op.create_table(
        "link_opening",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("link", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("network", sa.String(length=50), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["case_link.id"], name=op.f("fk_link_opening_link_case_link")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_link_opening")),
    )
    op.create_index(op.f("ix_link_opening_link"), "link_opening", ["link"], unique=False)
