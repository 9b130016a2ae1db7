"""The tables of a new store, each after those that it refers to."""

import sqlalchemy as sa
from alembic import op

from server.db import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes every table."""
    _create_arrival()
    _create_attempt()
    _create_audit_entry()
    _create_blob()
    _create_epoch()
    _create_feed_head()
    _create_item()
    _create_mutation()
    _create_record()
    _create_region()
    _create_reused_mutation()
    _create_scope()
    _create_upload()
    _create_app_user()
    _create_awaited()
    _create_feed()
    _create_picture()
    _create_record_version()
    _create_unapplied()
    _create_feed_mark()
    _create_device_scope()
    _create_device_loss()
    _create_device()
    _create_role_grant()
    _create_enrol_code()
    _create_session()
    _create_refresh_token()


def _create_arrival() -> None:
    op.create_table(
        "arrival",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=36), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("due_at", Moment(timezone=True), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_arrival")),
        sa.UniqueConstraint("photo", "user", "part", name=op.f("uq_arrival_photo_user_part")),
    )
    op.create_index(op.f("ix_arrival_due_at"), "arrival", ["due_at"], unique=False)
    op.create_index(op.f("ix_arrival_sha256"), "arrival", ["sha256"], unique=False)
    op.create_index("ix_arrival_user_sha256", "arrival", ["user", "sha256"], unique=False)


def _create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("until", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_attempt")),
    )


def _create_audit_entry() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=True),
        sa.Column("device", sa.String(length=36), nullable=True),
        sa.Column("record", sa.String(length=36), nullable=True),
        sa.Column("address", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_record"), "audit_entry", ["record"], unique=False)
    op.create_index(op.f("ix_audit_entry_user"), "audit_entry", ["user"], unique=False)


def _create_blob() -> None:
    op.create_table(
        "blob",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", Moment(timezone=True), nullable=False),
        sa.Column("content", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("type", sa.String(length=80), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("claims", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_blob")),
        sa.UniqueConstraint("sha256", name=op.f("uq_blob_sha256")),
    )
    op.create_index(op.f("ix_blob_content"), "blob", ["content"], unique=False)


def _create_epoch() -> None:
    op.create_table(
        "epoch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_epoch")),
        sa.UniqueConstraint("name", name=op.f("uq_epoch_name")),
    )


def _create_feed_head() -> None:
    op.create_table(
        "feed_head",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("floor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_head")),
    )


def _create_item() -> None:
    op.create_table(
        "item",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=36), nullable=True),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("task", sa.String(length=40), nullable=False),
        sa.Column("opened_at", sa.String(length=30), nullable=False),
        sa.Column("due_at", sa.String(length=30), nullable=False),
        sa.Column("closed_at", sa.String(length=30), nullable=True),
        sa.Column("closed_by", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_item")),
    )
    op.create_index(
        "ix_item_queue",
        "item",
        ["role", "due_at"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "uq_item_open",
        "item",
        ["record"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _create_mutation() -> None:
    op.create_table(
        "mutation",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("writer", sa.String(length=10), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("device", sa.String(length=36), nullable=True),
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("prev", sa.String(length=64), nullable=True),
        sa.Column("sig", sa.String(length=100), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("seal", sa.String(length=10), nullable=False),
        sa.Column("forked", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("received_at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_mutation")),
        sa.UniqueConstraint("id", name=op.f("uq_mutation_id")),
    )
    op.create_index(
        "ix_mutation_device_n",
        "mutation",
        ["device", "n"],
        unique=False,
        sqlite_where=sa.text("device IS NOT NULL"),
        postgresql_where=sa.text("device IS NOT NULL"),
    )


def _create_record() -> None:
    op.create_table(
        "record",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("parent", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("creator", sa.String(length=36), nullable=False),
        sa.Column("region", sa.String(length=36), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=16), nullable=False),
        sa.Column("field_versions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=30), nullable=False),
        sa.Column("updated_at", sa.String(length=30), nullable=False),
        sa.Column("aged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_record")),
        sa.UniqueConstraint("id", name=op.f("uq_record_id")),
    )
    op.create_index(
        "ix_record_parent",
        "record",
        ["parent"],
        unique=False,
        sqlite_where=sa.text("parent IS NOT NULL"),
        postgresql_where=sa.text("parent IS NOT NULL"),
    )


def _create_region() -> None:
    op.create_table(
        "region",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("parent", sa.String(length=36), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("level", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["parent"], ["region.id"], name=op.f("fk_region_parent_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region")),
        sa.UniqueConstraint("path", name=op.f("uq_region_path")),
    )


def _create_reused_mutation() -> None:
    op.create_table(
        "reused_mutation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("device", sa.String(length=36), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("id", "content", "user", name=op.f("pk_reused_mutation")),
    )


def _create_scope() -> None:
    op.create_table(
        "scope",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("last_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("records", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scope")),
        sa.UniqueConstraint("name", name=op.f("uq_scope_name")),
    )


def _create_upload() -> None:
    op.create_table(
        "upload",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("upload", sa.String(length=80), nullable=False),
        sa.Column("photo", sa.String(length=36), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_upload")),
        sa.UniqueConstraint("id", name=op.f("uq_upload_id")),
        sa.UniqueConstraint("user", "upload", name=op.f("uq_upload_user_upload")),
    )
    op.create_index(op.f("ix_upload_photo"), "upload", ["photo"], unique=False)
    op.create_index("ix_upload_state_expires_at", "upload", ["state", "expires_at"], unique=False)


def _create_app_user() -> None:
    op.create_table(
        "app_user",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("username", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("home_region", sa.String(length=36), nullable=True),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("disabled_at", Moment(timezone=True), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_region"], ["region.id"], name=op.f("fk_app_user_home_region_region")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("username", name=op.f("uq_app_user_username")),
    )


def _create_awaited() -> None:
    op.create_table(
        "awaited",
        sa.Column("awaited", sa.String(length=80), nullable=False),
        sa.Column("mutation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("looked_at", sa.String(length=30), nullable=False),
        sa.ForeignKeyConstraint(
            ["mutation"], ["mutation.key"], name=op.f("fk_awaited_mutation_mutation")
        ),
        sa.PrimaryKeyConstraint("awaited", "mutation", name=op.f("pk_awaited")),
    )


def _create_feed() -> None:
    op.create_table(
        "feed",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("scope", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_feed")),
    )
    op.create_index("ix_feed_record_scope", "feed", ["record", "scope"], unique=False)
    op.create_index("ix_feed_scope_seq", "feed", ["scope", "seq"], unique=False)
    op.create_index(
        "ix_feed_unnumbered",
        "feed",
        ["key"],
        unique=False,
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )


def _create_picture() -> None:
    op.create_table(
        "picture",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("blob", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=10), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["blob"], ["blob.key"], name=op.f("fk_picture_blob_blob")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_picture")),
        sa.UniqueConstraint("blob", "name", name=op.f("uq_picture_blob_name")),
    )


def _create_record_version() -> None:
    op.create_table(
        "record_version",
        sa.Column("record", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mutation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("device", sa.String(length=36), nullable=True),
        sa.Column("writer", sa.String(length=10), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("changed", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("record", "version", name=op.f("pk_record_version")),
    )


def _create_unapplied() -> None:
    op.create_table(
        "unapplied",
        sa.Column("mutation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mutation"], ["mutation.key"], name=op.f("fk_unapplied_mutation_mutation")
        ),
        sa.PrimaryKeyConstraint("mutation", name=op.f("pk_unapplied")),
    )
    op.create_index(op.f("ix_unapplied_record"), "unapplied", ["record"], unique=False)


def _create_device() -> None:
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("app", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("alg", sa.String(length=10), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("enrolled_at", Moment(timezone=True), nullable=False),
        sa.Column("revoked_at", Moment(timezone=True), nullable=True),
        sa.Column("erase", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["app_user.id"], name=op.f("fk_device_user_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    op.create_index(op.f("ix_device_user"), "device", ["user"], unique=False)


def _create_role_grant() -> None:
    op.create_table(
        "role_grant",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("region", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["region"], ["region.id"], name=op.f("fk_role_grant_region_region")
        ),
        sa.ForeignKeyConstraint(
            ["user"], ["app_user.id"], name=op.f("fk_role_grant_user_app_user")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_role_grant")),
        sa.UniqueConstraint("user", "role", "region", name=op.f("uq_role_grant_user_role_region")),
    )
    op.create_index(op.f("ix_role_grant_user"), "role_grant", ["user"], unique=False)


def _create_enrol_code() -> None:
    op.create_table(
        "enrol_code",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
        sa.Column("device", sa.String(length=36), nullable=True),
        sa.Column("session", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"], ["device.id"], name=op.f("fk_enrol_code_device_device")
        ),
        sa.ForeignKeyConstraint(
            ["user"], ["app_user.id"], name=op.f("fk_enrol_code_user_app_user")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_enrol_code")),
    )


def _create_session() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user", sa.String(length=36), nullable=False),
        sa.Column("device", sa.String(length=36), nullable=True),
        sa.Column("browser_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("used_at", Moment(timezone=True), nullable=False),
        sa.Column("ended_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("fk_session_device_device")),
        sa.ForeignKeyConstraint(["user"], ["app_user.id"], name=op.f("fk_session_user_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("browser_hash", name=op.f("uq_session_browser_hash")),
    )
    op.create_index("ix_session_user", "session", ["user"], unique=False)


def _create_refresh_token() -> None:
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("session", sa.String(length=36), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("rotation", sa.String(length=80), nullable=True),
        sa.Column("successor", sa.String(length=64), nullable=True),
        sa.Column("used_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name=op.f("fk_refresh_token_session_session")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_token")),
    )
    op.create_index(op.f("ix_refresh_token_session"), "refresh_token", ["session"], unique=False)


def _create_device_scope() -> None:
    op.create_table(
        "device_scope",
        sa.Column("device", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("gained_at", sa.String(length=30), nullable=False),
        sa.Column("lost_at", sa.String(length=30), nullable=True),
        sa.PrimaryKeyConstraint("device", "scope", name=op.f("pk_device_scope")),
    )


def _create_device_loss() -> None:
    op.create_table(
        "device_loss",
        sa.Column("device", sa.String(length=36), nullable=False),
        sa.Column("record", sa.String(length=36), nullable=False),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("device", "record", name=op.f("pk_device_loss")),
    )


def _create_feed_mark() -> None:
    op.create_table(
        "feed_mark",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_feed_mark")),
    )
