"""Which cases are to be looked at is told by what changed, and what each of them rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OPEN_MISSED = sa.text("closed_at IS NULL AND missed_at IS NOT NULL")
DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Brings the store forward."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "case_basis",
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("name", "record", name=op.f("pk_case_basis")),
    )
    op.create_index("ix_case_basis_record", "case_basis", ["record"])
    op.create_table(
        "case_look",
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("version", number, nullable=False),
        sa.Column("asked", number, nullable=False),
        sa.Column("due_at", sa.String(length=30), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_case_look")),
    )
    _index("ix_case_look_due", "case_look", ["due_at"], DUE)
    op.create_table(
        "case_place",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("feed", number, nullable=False),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_place")),
    )
    op.create_table(
        "goods_news",
        sa.Column("key", number, nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_goods_news")),
    )
    _index("ix_item_late", "item", ["kind", "task"], OPEN_MISSED)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
