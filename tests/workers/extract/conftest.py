"""Fixtures of the tests of reading."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.db.session import Database
from workers.extract.snapshot import SnapshotConnection


@pytest.fixture
def begun_snapshot(database: Database) -> Iterator[SnapshotConnection]:
    """Give a connection whose snapshot has begun."""
    connection = SnapshotConnection(database.url, statement_timeout_seconds=30)
    connection.begin()
    yield connection
    connection.close()
