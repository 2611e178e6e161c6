"""What a worker's child holds open: the database, the snapshot connection and the store, made on first use.

Connections and the store's threads do not survive a fork, so nothing here is made before it is asked for.
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
    """The settings and whatever a job needs, opened once a process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """Transactions; no statement may outlast half a lease."""
        return Database(
            self.settings.database_url,
            statement_timeout_seconds=self.settings.lease_seconds / 2,
            pool_size=1,
        )

    @cached_property
    def snapshots(self) -> SnapshotConnection:
        """The connection that bulk data is read through."""
        # The sweeper shares this class, and needs neither pandas nor the memory that it takes.
        from workers.extract.snapshot import SnapshotConnection

        return SnapshotConnection(
            self.settings.database_url, statement_timeout_seconds=self.settings.lease_seconds / 2
        )

    @cached_property
    def store(self) -> BlobStore:
        """The store of files."""
        return open_store(self.settings)
