"""P8: a round of the worker finds what is due by indexes of just that."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

UNSETTLED = sa.text("settled_at IS NULL")
RIPE = sa.text("issued_at IS NULL AND waits_for = ''")


def upgrade() -> None:
    """Brings the store forward."""
    op.drop_index("ix_delivery_due", "delivery")
    op.drop_index("ix_event_held_until", "event")
    _index("ix_delivery_due", "delivery", ["hook", "next_at"], UNSETTLED)
    _index("ix_event_ripe", "event", ["not_before"], RIPE)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
