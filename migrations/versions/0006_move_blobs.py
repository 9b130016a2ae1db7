"""Says of a blob where it is and whether it was found whole; names blobs that no row names."""

import sqlalchemy as sa
from alembic import op

from server.db import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns and a table; every blob that there is lies on the local disk."""
    op.create_table(
        "orphan",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("store", sa.String(length=10), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("since", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_orphan")),
        sa.UniqueConstraint("store", "sha256", name=op.f("uq_orphan_store_sha256")),
    )
    place = sa.Column("place", sa.String(length=10), server_default="local", nullable=False)
    op.add_column("blob", place)
    op.add_column("blob", sa.Column("hashed_at", Moment(timezone=True), nullable=True))
    op.add_column("blob", sa.Column("fault", sa.String(length=10), nullable=True))
    op.execute("UPDATE blob SET hashed_at = placed_at")
    op.create_index(op.f("ix_blob_hashed_at"), "blob", ["hashed_at"])
    op.create_index("ix_blob_place_placed_at", "blob", ["place", "placed_at"])
