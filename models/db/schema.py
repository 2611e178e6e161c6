"""Brings a database's schema up to date, and tells whether it is."""

from __future__ import annotations

from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

from models.db.base import Base
from models.db.session import lock
from models.errors import UnreleasedSchemaError

# Revisions of versions that were never released; no migration leads on from them.
_UNRELEASED_REVISIONS: Final = frozenset({"0001"})


def migration_config(connection: Connection | None = None, tables: MetaData = Base.metadata) -> Config:
    """Make Alembic's configuration.

    A new migration leads to `tables`, whose naming convention all migrations use for their constraints.
    """
    config = Config()
    config.set_main_option("script_location", "models.db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["tables"] = tables
    return config


def migrate(engine: Engine) -> None:
    """Apply all missing migrations; any number of processes may call this at once.

    Raises UnreleasedSchemaError.
    """
    with engine.begin() as connection:
        lock(connection, "migrations")
        require_released(applied_revision(connection))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        command.upgrade(migration_config(connection), "head")


def require_released(revision: str | None) -> None:
    """Raise UnreleasedSchemaError if an unreleased version made the tables, so they cannot be migrated."""
    if revision in _UNRELEASED_REVISIONS:
        raise UnreleasedSchemaError(
            f"the database was made by an unreleased version (revision {revision}); make a new database"
        )


def newest_revision() -> str | None:
    """Name the newest migration that this release knows."""
    return ScriptDirectory.from_config(migration_config()).get_current_head()


def applied_revision(connection: Connection) -> str | None:
    """Name the migration that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def differences(connection: Connection, tables: MetaData) -> list[object]:
    """List where the tables of the code and those of the database differ."""
    return list(compare_metadata(MigrationContext.configure(connection), tables))
