"""Brings a database's schema up to date, and tells whether it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
import tenacity
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy import Connection, Engine, MetaData, text
from sqlalchemy.exc import DBAPIError

from models.db.base import Base
from models.db.session import lock
from models.errors import MigrationBlockedError, UnreleasedSchemaError

_log = structlog.stdlib.get_logger(__name__)

# Revisions of versions that were never released; no migration leads on from them.
_UNRELEASED_REVISIONS: Final = frozenset({"0001", "3f9c2d7b41ae"})


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


@dataclass(frozen=True)
class MigrationLimits:
    """How long a migration may wait and run.

    While a statement waits for a lock on a table, every request for that table waits behind it. So it waits
    for `lock_seconds` at most, and then everything is rolled back and tried again, for `patience_seconds`.
    """

    lock_seconds: float = 3.0
    statement_seconds: float = 900.0
    pause_seconds: float = 3.0
    patience_seconds: float = 120.0


def migrate(engine: Engine, limits: MigrationLimits | None = None) -> None:
    """Apply all missing migrations; any number of processes may call this at once.

    A database of a newer release is left as it is. Raises MigrationBlockedError if another transaction holds
    a table for too long or a statement takes too long, with nothing changed, and UnreleasedSchemaError.
    """
    limits = limits or MigrationLimits()
    try:
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_blocked),
            stop=tenacity.stop_after_delay(limits.patience_seconds),
            wait=tenacity.wait_fixed(limits.pause_seconds),
            before_sleep=lambda _: _log.warning("migration_waits", blocked_by=_oldest_transaction(engine)),
            reraise=True,
        ):
            with attempt:
                _migrate_once(engine, limits)
    except DBAPIError as error:
        if _is_blocked(error):
            raise MigrationBlockedError(
                f"a table is in use: {_oldest_transaction(engine)}; nothing was changed, so end it and run"
                " quiz-reports migrate again"
            ) from error
        if isinstance(error.orig, QueryCanceled):
            raise MigrationBlockedError(
                f"a statement took more than {limits.statement_seconds:g} s; nothing was changed, so run"
                " quiz-reports migrate again with a longer --statement-timeout"
            ) from error
        raise


def _migrate_once(engine: Engine, limits: MigrationLimits) -> None:
    with engine.begin() as connection:
        # Another process that migrates is waited for without a limit; it has limits of its own.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        lock(connection, "migrations")
        connection.execute(text(f"SET LOCAL statement_timeout = {int(limits.statement_seconds * 1000)}"))
        connection.execute(text(f"SET LOCAL lock_timeout = {int(limits.lock_seconds * 1000)}"))
        applied = applied_revision(connection)
        require_released(applied)
        if not is_usable_revision(applied):
            command.upgrade(migration_config(connection), "head")


def _is_blocked(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and isinstance(error.orig, LockNotAvailable)


def _oldest_transaction(engine: Engine) -> str:
    """Describe the transaction that has been open longest, which most likely holds the table."""
    with engine.connect() as connection:
        oldest = connection.execute(
            text("""
                SELECT pid, usename, application_name, state, extract(epoch FROM now() - xact_start)::int
                FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
                ORDER BY xact_start LIMIT 1
            """)
        ).first()
    if oldest is None:
        return "its transaction has just ended"
    pid, user, application, state, seconds = oldest
    return (
        f"the oldest transaction is pid {pid} ({user}, {application or 'unnamed'}, {state}) since {seconds} s"
    )


def require_released(revision: str | None) -> None:
    """Raise UnreleasedSchemaError if an unreleased version made the tables, so they cannot be migrated."""
    if revision in _UNRELEASED_REVISIONS:
        raise UnreleasedSchemaError(
            f"the database was made by an unreleased version (revision {revision}); make a new database"
        )


def newest_revision() -> str | None:
    """Name the newest migration that this release knows."""
    return ScriptDirectory.from_config(migration_config()).get_current_head()


def is_usable_revision(applied: str | None) -> bool:
    """Whether this release can work with tables at a revision: its newest, or one of a newer release.

    A migration keeps the tables usable for the release before it, so that a release can be rolled back. A
    revision that this release does not know is that of a newer one.
    """
    if applied is None or applied in _UNRELEASED_REVISIONS:
        return False
    return applied == newest_revision() or not _is_known(applied)


def _is_known(revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(migration_config()).get_revision(revision) is not None
    except CommandError:
        return False


def applied_revision(connection: Connection) -> str | None:
    """Name the migration that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def differences(connection: Connection, tables: MetaData) -> list[object]:
    """List where the tables of the code and those of the database differ."""
    return list(compare_metadata(MigrationContext.configure(connection), tables))
