"""Says of a device which one it goes on for, after a copy of that one's store."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column; a device without it goes on for nobody."""
    op.add_column("device", sa.Column("forked_from", sa.String(length=36), nullable=True))
