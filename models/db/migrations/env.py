"""Runs migrations on the connection that the caller hands over, or without one writes their SQL (`--sql`)."""

from alembic import context

context.configure(
    connection=context.config.attributes.get("connection"),
    dialect_name="postgresql",
    literal_binds=context.is_offline_mode(),
    target_metadata=context.config.attributes.get("tables"),
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
