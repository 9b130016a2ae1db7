"""B1, X8: several clocks a record, that warn, pause, are missed and told on; who acts for whom."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OPEN = sa.text("closed_at IS NULL")
RUNNING = sa.text("closed_at IS NULL AND paused_at IS NULL")
TOLD_ON = sa.text("closed_at IS NULL AND escalated_to IS NOT NULL")


def upgrade() -> None:
    """Brings the store forward."""
    op.create_table(
        "absence",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("deputy", sa.String(length=36), nullable=False),
        sa.Column("begins_at", sa.String(length=30), nullable=False),
        sa.Column("ends_at", sa.String(length=30), nullable=False),
        sa.Column("noted_at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_absence")),
    )
    op.create_index("ix_absence_deputy", "absence", ["deputy", "ends_at"])
    moment = sa.String(length=30)
    for column in (
        sa.Column("person", sa.String(length=36), nullable=True),
        sa.Column("warn_at", moment, nullable=False, server_default=""),
        sa.Column("next_at", moment, nullable=False, server_default=""),
        sa.Column("term_seconds", sa.BigInteger(), nullable=False, server_default="86400"),
        sa.Column("escalation", sa.String(length=200), nullable=False, server_default=""),
        sa.Column("escalated", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("escalated_to", sa.String(length=40), nullable=True),
        sa.Column("warned_at", moment, nullable=True),
        sa.Column("missed_at", moment, nullable=True),
        sa.Column("paused_at", moment, nullable=True),
        sa.Column("pause", sa.String(length=40), nullable=True),
        sa.Column("pauses", sa.JSON(), nullable=True),
    ):
        op.add_column("item", column)
    op.execute("UPDATE item SET warn_at = due_at, next_at = due_at")
    op.drop_index("uq_item_open", "item")
    _index("uq_item_open", ["record", "task"], OPEN, unique=True)
    _index("ix_item_escalated", ["escalated_to", "due_at"], TOLD_ON)
    _index("ix_item_next", ["next_at"], RUNNING)
    op.create_index("ix_item_record", "item", ["record"])


def _index(name: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(
        name, "item", columns, unique=unique, sqlite_where=where, postgresql_where=where
    )
