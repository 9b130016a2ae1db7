"""A clock keeps calendar and warning as it was begun; a queue is read from its index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OPEN = sa.text("closed_at IS NULL")
TOLD_ON = sa.text("closed_at IS NULL AND escalated_to IS NOT NULL")
WITHIN = ["due_at", "key", "region", "person", "kind"]


def upgrade() -> None:
    """Brings the store forward."""
    warning = sa.Column("warn_seconds", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("item", warning)
    op.add_column("item", sa.Column("calendar", sa.Text(), nullable=True))
    _widen("ix_item_queue", ["role", *WITHIN], OPEN)
    _widen("ix_item_escalated", ["escalated_to", *WITHIN, "role"], TOLD_ON)


def _widen(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.drop_index(name, "item")
    op.create_index(name, "item", columns, sqlite_where=where, postgresql_where=where)
