"""Says of an upload whether it is a part of another one, and of which ones it is made."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds two columns; an upload that there is already is a whole one."""
    op.add_column(
        "upload", sa.Column("partial", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("upload", sa.Column("joins", sa.JSON(), nullable=True))
