"""Runs migrations on the connection that the caller hands over, or without one writes their SQL (`--sql`)."""

from alembic import context

from models.access import tokens  # noqa: F401
from models.db.base import Base
from models.lms import (
    attempts,  # noqa: F401
    courses,  # noqa: F401
    quizzes,  # noqa: F401
)
from models.reports import tables  # noqa: F401

context.configure(
    connection=context.config.attributes.get("connection"),
    dialect_name="postgresql",
    literal_binds=context.is_offline_mode(),
    target_metadata=Base.metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
