"""Notes what pictures are recognised by, which photos are to be compared, and which match."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns and tables; a blob that was looked into before stays as it is."""
    op.create_table(
        "photo_comparison",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_photo_comparison")),
        sa.UniqueConstraint("photo", name=op.f("uq_photo_comparison_photo")),
    )
    op.create_table(
        "photo_match",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("photo", sa.String(length=36), nullable=False),
        sa.Column("earlier", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_photo_match")),
        sa.UniqueConstraint("photo", "earlier", name=op.f("uq_photo_match_photo_earlier")),
        sa.UniqueConstraint("record", name=op.f("uq_photo_match_record")),
    )
    with op.batch_alter_table("photo_match", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_photo_match_earlier"), ["earlier"], unique=False)

    op.create_table(
        "picture_print",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("blob", sa.Integer(), nullable=False),
        sa.Column("bits", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["blob"], ["blob.key"], name=op.f("fk_picture_print_blob_blob"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_picture_print")),
    )
    with op.batch_alter_table("picture_print", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_picture_print_blob"), ["blob"], unique=False)

    with op.batch_alter_table("blob", schema=None) as batch_op:
        batch_op.add_column(sa.Column("frames", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("dropped", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("sharpness", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("brightness", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("bare_sha256", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_blob_bare_sha256"), ["bare_sha256"], unique=False)
