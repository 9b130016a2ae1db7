"""P1: a cursor names the stretch of the feed that its place is in."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the store forward."""
    op.create_table(
        "feed_stretch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("began", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_feed_stretch"),
        sa.UniqueConstraint("name", name="uq_feed_stretch_name"),
    )
