"""Alembic's entry: runs the revisions on the connection that ``server.migration`` opened."""

from alembic import context

from server.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller holds the one transaction
    compare_type=True,
    user_module_prefix="",
)
context.run_migrations()
