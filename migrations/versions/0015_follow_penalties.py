"""How far penalties have followed the cases that they rest on."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the store forward."""
    op.create_table(
        "penalty_place",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("feed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_penalty_place")),
    )
