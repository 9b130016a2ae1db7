"""X8: clocks that spoke are found by when they did."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the store forward."""
    clocks = sa.Column("clocks", sa.String(length=30), nullable=False, server_default="")
    op.add_column("event_place", clocks)
    for column in ("warned_at", "missed_at"):
        said = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_item_{column}", "item", [column], sqlite_where=said, postgresql_where=said
        )
