"""The connections of a process to the database, for snapshots and to the store, each opened on first use.

Connections and the store's threads do not survive a fork, so each child of a worker opens its own.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import structlog
import tenacity

from models.db.session import Database
from models.errors import StorageError
from models.publisher import JobPublisher
from models.settings import Settings
from models.storage import BlobStore, check_store, open_store

if TYPE_CHECKING:
    from workers.extract.snapshot import SnapshotConnection


_log = structlog.stdlib.get_logger(__name__)
_PAUSE_SECONDS = 1.0


class Resources:
    """The settings, and the connections that a job needs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._store_has_failed = False

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

    @cached_property
    def publisher(self) -> JobPublisher:
        """The publisher of jobs that are handed out."""
        return JobPublisher(self.settings.redis_url)

    def close(self) -> None:
        """Close the connections that were opened."""
        opened = vars(self)
        if "publisher" in opened:
            self.publisher.close()
        if "snapshots" in opened:
            self.snapshots.close()
        if "database" in opened:
            self.database.dispose()

    def distrust_store(self) -> None:
        """Let `await_store` test the store before the next job."""
        self._store_has_failed = True
        vars(self).pop("store", None)

    def await_store(self) -> None:
        """After a failure, wait until the store can be used again, for the time of one sweep at most.

        Meanwhile the sweeper tells other workers of the job. A worker that alone cannot reach the store so
        takes few of the jobs that others would finish.
        """
        if not self._store_has_failed:
            return
        try:
            for attempt in tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(StorageError),
                stop=tenacity.stop_after_delay(self.settings.sweep_seconds),
                wait=tenacity.wait_fixed(min(_PAUSE_SECONDS, self.settings.sweep_seconds)),
                reraise=True,
            ):
                with attempt:
                    check_store(self.settings)
        except StorageError as error:
            _log.error("store_still_fails", reason=str(error))
        else:
            self._store_has_failed = False
