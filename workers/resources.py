"""The connections of a process to the database, for snapshots and to the store, each opened on first use.

Connections and the store's threads do not survive a fork, so each child of a worker opens its own.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from models.db.session import Database
from models.settings import Settings
from models.storage import BlobStore, open_store

if TYPE_CHECKING:
    from workers.extract.snapshot import SnapshotConnection


class Resources:
    """The settings, and the connections that a job needs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """The database, for transactions; no statement may take longer than half a lease."""
        return Database(
            self.settings.database_url,
            statement_timeout_seconds=self.settings.lease_seconds / 2,
            pool_size=1,
        )

    @cached_property
    def snapshots(self) -> SnapshotConnection:
        """The connection that reads bulk data."""
        # Imported here because the sweeper, which shares this class, has no use for pandas.
        from workers.extract.snapshot import SnapshotConnection

        return SnapshotConnection(
            self.settings.database_url, statement_timeout_seconds=self.settings.lease_seconds / 2
        )

    @cached_property
    def store(self) -> BlobStore:
        """The store of the files."""
        return open_store(self.settings)
