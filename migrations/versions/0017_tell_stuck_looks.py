"""A case that cannot be looked at says since when, and what stops it."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the store forward."""
    op.add_column("case_look", sa.Column("failed_at", sa.String(30), nullable=True))
    op.add_column("case_look", sa.Column("failure", sa.String(200), nullable=True))
