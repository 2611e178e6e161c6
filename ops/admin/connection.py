"""The database as commands of an operator use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.db.session import Database
from models.settings import Settings


@contextmanager
def opened_database(settings: Settings, *, statement_timeout_seconds: float = 30.0) -> Iterator[Database]:
    """Open the database of the settings for one command; raise InvalidSettingError if they name none."""
    url = settings.require("database_url").database_url
    database = Database(url, pool_size=1, statement_timeout_seconds=statement_timeout_seconds)
    try:
        yield database
    finally:
        database.dispose()
