"""Runs migrations on the connection that the caller hands over in the configuration's attributes."""

from alembic import context

from models import access_tokens, courses, files, progress, quizzes, reports, submissions  # noqa: F401
from models.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
