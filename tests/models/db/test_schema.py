"""Migrations: what a release makes of a newer database, and of a table that another transaction holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
import structlog
from sqlalchemy.exc import OperationalError

from models.db.schema import (
    MigrationLimits,
    applied_revision,
    is_usable_revision,
    migrate,
    newest_revision,
)
from models.db.session import Database
from models.errors import MigrationBlockedError
from tests.waiting import wait_for

NEWER = "ffffffffffff"
QUICK = MigrationLimits(lock_seconds=0.1, pause_seconds=0.05, patience_seconds=0.3)


@pytest.fixture
def empty_database(empty_database_url: str) -> Iterator[Database]:
    database = Database(empty_database_url)
    yield database
    database.dispose()


@pytest.fixture
def holder(empty_database_url: str) -> Iterator[psycopg.Connection[object]]:
    """A transaction that holds the one table that a database has before its first migration."""
    with psycopg.connect(empty_database_url, application_name="a long query") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        connection.commit()
        connection.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        yield connection


@pytest.mark.parametrize(
    ("applied", "is_usable"), [(None, False), ("0001", False), (newest_revision(), True), (NEWER, True)]
)
def test_tables_of_this_release_and_of_newer_ones_can_be_used(
    applied: str | None, *, is_usable: bool
) -> None:
    assert is_usable_revision(applied) is is_usable


def test_a_database_of_a_newer_release_is_left_as_it_is(
    empty_database_url: str, empty_database: Database
) -> None:
    migrate(empty_database.engine)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [NEWER])

    migrate(empty_database.engine)

    with empty_database.engine.connect() as checking:
        assert applied_revision(checking) == NEWER


def test_a_table_in_use_is_named_with_its_transaction_and_nothing_is_changed(
    empty_database: Database, holder: psycopg.Connection[object]
) -> None:
    with pytest.raises(MigrationBlockedError, match=rf"pid {holder.info.backend_pid} \(.*a long query"):
        migrate(empty_database.engine, QUICK)
    holder.rollback()
    with empty_database.engine.connect() as connection:
        assert applied_revision(connection) is None


def test_the_migration_is_tried_again_until_the_table_is_free(
    empty_database: Database, holder: psycopg.Connection[object]
) -> None:
    limits = MigrationLimits(lock_seconds=0.1, pause_seconds=0.05, patience_seconds=60)
    migrating = threading.Thread(target=migrate, args=(empty_database.engine, limits))
    with structlog.testing.capture_logs() as logged:
        migrating.start()
        try:
            wait_for(lambda: [entry["event"] for entry in logged].count("migration_waits") > 1)
        finally:
            holder.rollback()
            migrating.join(60)
    with empty_database.engine.connect() as connection:
        assert applied_revision(connection) == newest_revision()


def test_a_statement_that_takes_too_long_says_so(empty_database: Database) -> None:
    with pytest.raises(MigrationBlockedError, match="longer --statement-timeout"):
        migrate(empty_database.engine, MigrationLimits(statement_seconds=0.001))


def test_a_database_that_does_not_exist_is_no_blocked_migration(empty_database_url: str) -> None:
    absent = Database(f"{empty_database_url.rpartition('/')[0]}/absent")
    try:
        with pytest.raises(OperationalError, match='database "absent" does not exist'):
            migrate(absent.engine, QUICK)
    finally:
        absent.dispose()
