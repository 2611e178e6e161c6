"""The sweeper: sees to it that no report stays queued or running for ever, and that no object is left over.

Any number of sweepers may run: each change is one conditional statement, so one of them makes it.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import redis
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.errors import StorageError
from models.publisher import BROKER_FAILURES, JobPublisher
from models.queue import PUBLISH_TIMEOUTS, Queue
from models.reports import jobs
from models.settings import Settings
from workers.resources import Resources

log = structlog.get_logger(__name__)

# With messages still waiting, most reports only wait for their turn: a few old ones are hinted at again,
# in case just theirs was lost. With none waiting, all that nobody took are.
_BUSY_PATIENCE = 6
_MOST_WHEN_BUSY = 50
_MOST_WHEN_IDLE = 1000

_TIDY_EVERY = timedelta(minutes=10)
# A worker that still writes an object is at most a few leases old.
_LEFT_OVER_AFTER = timedelta(days=1)


class Sweeper:
    """One sweep after the other."""

    def __init__(self, resources: Resources, publisher: JobPublisher) -> None:
        self._resources = resources
        self._publisher = publisher
        self._redis = redis.Redis.from_url(resources.settings.redis_url, **PUBLISH_TIMEOUTS)
        self._tidied_at: float | None = None

    def sweep(self) -> None:
        """Look once for lost jobs, and now and then for files past their time."""
        self._fail_exhausted()
        for queue in Queue:
            self._publish_unclaimed_jobs(queue)
        if self._tidied_at is None or time.monotonic() - self._tidied_at > _TIDY_EVERY.total_seconds():
            self._tidied_at = time.monotonic()
            self.tidy()

    def tidy(self) -> None:
        """Remove files past their retention, and objects that no file and no job needs."""
        settings = self._resources.settings
        if settings.retention_days:
            with self._resources.database.transaction() as session:
                keys = jobs.remove_expired_files(session, retention_days=settings.retention_days)
            for key in keys:
                self._resources.store.delete(key)
        before = datetime.now(UTC) - _LEFT_OVER_AFTER
        if deleted := self._resources.store.delete_half_written("reports", before):
            log.info("half_written_deleted", objects=deleted)
        for batch in self._resources.store.list("reports"):
            old = [stored.key for stored in batch if stored.last_modified < before]
            if not old:
                continue
            with self._resources.database.transaction() as session:
                left_over = jobs.unreferenced(session, old)
            for key in left_over:
                self._resources.store.delete(key)
                log.info("object_deleted", key=key)

    def _fail_exhausted(self) -> None:
        with self._resources.database.transaction() as session:
            failed = jobs.fail_exhausted(session, max_tries=self._resources.settings.max_tries)
        for report_id in failed:
            log.error("report_failed_for_good", report_id=report_id)

    def _publish_unclaimed_jobs(self, queue: Queue) -> None:
        idle = self._waiting_messages(queue) == 0
        sweep_seconds = self._resources.settings.sweep_seconds
        with self._resources.database.transaction() as session:
            messages = jobs.take_unclaimed_jobs(
                session,
                queue,
                older_than_seconds=sweep_seconds if idle else _BUSY_PATIENCE * sweep_seconds,
                most=_MOST_WHEN_IDLE if idle else _MOST_WHEN_BUSY,
            )
        for message in messages:
            if not self._publisher.send(message):
                # The publisher has logged it. What is left of the batch becomes due again later.
                return
            log.info("job_published_again", report_id=message.report_id, progress_id=message.progress_id)

    def _waiting_messages(self, queue: Queue) -> int:
        return int(self._redis.llen(queue.value))


def run(settings: Settings, stop: threading.Event) -> None:
    """Sweep every few seconds until told to stop; what fails is logged, and tried again at the next turn."""
    sweeper = Sweeper(Resources(settings), JobPublisher(settings.redis_url))
    while not stop.is_set():
        try:
            sweeper.sweep()
        except BROKER_FAILURES:
            log.exception("broker_failed")
        except (DBAPIError, PoolTimeoutError):
            log.exception("database_failed")
        except StorageError:
            log.exception("storage_failed")
        stop.wait(settings.sweep_seconds)
