"""Write a migration for changes of the tables: `python -m ops.admin.new_migration "add a column"`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from models.db.schema import migrate, migration_config
from models.db.session import Database
from ops.admin.tables import all_tables
from ops.local.embedded import EmbeddedPostgres


def main() -> None:
    """Compare the code's tables with a database at the newest migration, and write the differences."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder), durable=False) as postgres:
        database = Database(postgres.url)
        migrate(database.engine)
        with database.engine.begin() as connection:
            command.revision(
                migration_config(connection, all_tables()), message=sys.argv[1], autogenerate=True
            )
        database.dispose()


if __name__ == "__main__":
    main()
