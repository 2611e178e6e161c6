"""The fixtures themselves: what one test leaves behind, the next does not see."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from models.access.tokens import create_token, list_tokens
from models.db.schema import differences
from models.db.session import Database
from ops.admin.tables import all_tables


@pytest.mark.parametrize("time", [1, 2])
def test_every_test_starts_with_empty_tables_and_fresh_ids(database: Database, time: int) -> None:
    with database.transaction() as session:
        create_token(session, user_id=1)
    with database.transaction() as session:
        assert [token.id for token in list_tokens(session)] == [1]


def test_the_database_is_migrated_to_what_the_code_says(database: Database) -> None:
    with database.engine.connect() as connection:
        assert differences(connection, all_tables()) == []
        checks = connection.execute(
            text("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0")
        ).scalars()
        assert {name for name in checks if not name.startswith("ck_")} == set()
        assert connection.execute(text("SHOW timezone")).scalar() == "UTC"
