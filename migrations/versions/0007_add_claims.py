"""K2: who holds a claim key."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the store forward."""
    op.create_table(
        "claim",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("captured", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_claim")),
    )
