"""The fixtures themselves: what one test leaves behind, the next does not see."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from models.access_tokens import create_token, list_tokens
from models.base import Base
from models.database import Database
from models.schema import differences


@pytest.mark.parametrize("time", [1, 2])
def test_every_test_starts_with_empty_tables_and_fresh_ids(database: Database, time: int) -> None:
    with database.transaction() as session:
        create_token(session, user_id=1)
    with database.transaction() as session:
        assert [token.id for token in list_tokens(session)] == [1]


def test_the_database_is_migrated_to_what_the_code_says(database: Database) -> None:
    with database.engine.connect() as connection:
        assert differences(connection) == []
        assert connection.execute(text("SHOW timezone")).scalar() == "UTC"


def test_the_migrations_make_the_same_checks_as_the_code(database: Database, empty_database_url: str) -> None:
    """Alembic compares tables, columns and indexes, but no check."""
    fresh = Database(empty_database_url)
    Base.metadata.create_all(fresh.engine)
    try:
        assert checks(database) == checks(fresh)
    finally:
        fresh.dispose()


def checks(database: Database) -> dict[str, str]:
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT conname, pg_get_constraintdef(oid) AS sql FROM pg_constraint WHERE contype = 'c'")
        )
        return {row.conname: row.sql for row in rows}
