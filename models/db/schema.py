"""Brings a database's schema up to date, and tells whether it is."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from models.db.base import Base

# Any number that no other program of this database takes for its own advisory lock.
_MIGRATION_LOCK = 7_101_982_003


def migration_config(connection: Connection | None = None) -> Config:
    """Make Alembic's configuration for the migrations that come with this package."""
    config = Config()
    config.set_main_option("script_location", "models.db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> None:
    """Apply all migrations that are missing; any number of processes may do so at once."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        command.upgrade(migration_config(connection), "head")


def newest_revision() -> str | None:
    """Name the newest migration that this release knows."""
    return ScriptDirectory.from_config(migration_config()).get_current_head()


def applied_revision(connection: Connection) -> str | None:
    """Name the migration that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def differences(connection: Connection) -> list[object]:
    """List where the tables of the code and those of the database differ."""
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))
