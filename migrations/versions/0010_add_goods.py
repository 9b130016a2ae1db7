"""X5, X13: products, batches and shipments of the company, and the files that they came in."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Brings the store forward."""
    op.create_table(
        "product",
        sa.Column("key", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=120), nullable=False),
        sa.Column("name_en", sa.String(length=120), nullable=True),
        sa.Column("list_price", sa.Text(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("box", sa.Text(), nullable=True),
        sa.Column("bottle", sa.Text(), nullable=True),
        sa.Column("bag", sa.Text(), nullable=True),
        sa.Column("can", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_product")),
        sa.UniqueConstraint("code", name=op.f("uq_product_code")),
    )
    op.create_index(op.f("ix_product_name_en"), "product", ["name_en"])
    op.create_index(op.f("ix_product_name_zh"), "product", ["name_zh"])
    op.create_table(
        "batch",
        sa.Column("key", KEY, nullable=False),
        sa.Column("sought", sa.String(length=80), nullable=False),
        sa.Column("product", KEY, nullable=False),
        sa.Column("number", sa.String(length=80), nullable=False),
        sa.Column("produced_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["product"], ["product.key"], name=op.f("fk_batch_product_product")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_batch")),
        sa.UniqueConstraint("sought", "product", name=op.f("uq_batch_sought_product")),
    )
    op.create_table(
        "shipment",
        sa.Column("key", KEY, nullable=False),
        sa.Column("batch", KEY, nullable=False),
        sa.Column("note", sa.String(length=80), nullable=False),
        sa.Column("shipped_on", sa.Date(), nullable=False),
        sa.Column("customer", sa.String(length=80), nullable=False),
        sa.Column("market", sa.String(length=36), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batch.key"], name=op.f("fk_shipment_batch_batch")),
        sa.ForeignKeyConstraint(["market"], ["region.id"], name=op.f("fk_shipment_market_region")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_shipment")),
        sa.UniqueConstraint("batch", "note", name=op.f("uq_shipment_batch_note")),
    )
    op.create_table(
        "import_run",
        sa.Column("key", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user"], ["app_user.id"], name=op.f("fk_import_run_user_app_user")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_import_run")),
    )
