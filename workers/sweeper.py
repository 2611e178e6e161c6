"""The sweeper: no report stays queued or running for ever, and no orphaned object stays in the store.

Any number of sweepers may run: each change is one conditional statement, so only one of them makes it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import redis
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.errors import StorageError
from models.publisher import BROKER_FAILURES, PUBLISH_TIMEOUTS, JobPublisher
from models.reports import jobs
from models.reports.tables import Queue
from models.settings import Settings
from workers.metrics import (
    JOBS_EXHAUSTED,
    JOBS_PUBLISHED_AGAIN,
    LAST_SWEEP,
    MESSAGES,
    OBJECTS,
    ORPHANS,
    SWEEPS,
)
from workers.orphans import ORPHANED_AFTER, find_orphans
from workers.resources import Resources
from workers.shares import hand_out_next

log = structlog.get_logger(__name__)

# While messages wait in the queue, most jobs only wait for their turn: a few old ones are published again, in
# case their messages were lost. If the queue is empty, every unclaimed job is published again.
_SWEEPS_WHEN_BUSY = 6
_MOST_WHEN_BUSY = 50
_MOST_WHEN_IDLE = 1000

_TIDY_EVERY = timedelta(minutes=10)


class Sweeper:
    """Publishes lost jobs again, fails exhausted ones, and deletes expired and orphaned files.

    After each step it calls `beat`, which shows that it does not stand still.
    """

    def __init__(
        self, resources: Resources, publisher: JobPublisher, beat: Callable[[], None] = lambda: None
    ) -> None:
        self._beat = beat
        self._resources = resources
        self._publisher = publisher
        self._redis = redis.Redis.from_url(resources.settings.redis_url, **PUBLISH_TIMEOUTS)
        self._tidied_at: float | None = None

    def sweep(self) -> None:
        """Handle lost and exhausted jobs, and every ten minutes also expired and orphaned files."""
        self._fail_exhausted()
        hand_out_next(self._resources)
        for queue in Queue:
            self._publish_unclaimed_jobs(queue)
            self._beat()
        if self._tidied_at is None or time.monotonic() - self._tidied_at > _TIDY_EVERY.total_seconds():
            self._tidied_at = time.monotonic()
            self.tidy()

    def tidy(self) -> None:
        """Delete files that have outlived the retention, and objects that belong to no file and no job."""
        settings = self._resources.settings
        if settings.retention_days:
            with self._resources.database.transaction() as session:
                keys = jobs.remove_expired_files(session, retention_days=settings.retention_days)
            for key in keys:
                self._resources.store.delete(key)
                self._beat()
        before = datetime.now(UTC) - ORPHANED_AFTER
        if deleted := self._resources.store.delete_half_written("reports", before):
            log.info("half_written_objects_deleted", count=deleted)
        orphans = find_orphans(self._resources.store, self._resources.database, after_batch=self._beat)
        OBJECTS.set(orphans.listed)
        ORPHANS.set(orphans.found)
        if orphans.are_too_many:
            # Most likely the database is older than the store: quiz-reports files orphans lists them.
            log.error("too_many_orphans", orphans=orphans.found, objects=orphans.listed)
            return
        for key in orphans.keys:
            self._resources.store.delete(key)
            self._beat()
            log.info("object_deleted", storage_key=key)

    def _fail_exhausted(self) -> None:
        with self._resources.database.transaction() as session:
            failed = jobs.fail_exhausted(session, max_tries=self._resources.settings.max_tries)
        JOBS_EXHAUSTED.inc(len(failed))
        for report_id in failed:
            log.error("report_failed", report_id=report_id)

    def _publish_unclaimed_jobs(self, queue: Queue) -> None:
        idle = self._waiting_messages(queue) == 0
        sweep_seconds = self._resources.settings.sweep_seconds
        with self._resources.database.transaction() as session:
            messages = jobs.take_unclaimed_jobs(
                session,
                queue,
                older_than_seconds=sweep_seconds if idle else _SWEEPS_WHEN_BUSY * sweep_seconds,
                most=_MOST_WHEN_IDLE if idle else _MOST_WHEN_BUSY,
            )
        for message in messages:
            if not self._publisher.send(message):
                # The publisher has logged it. The rest of the batch is due again at a later sweep.
                return
            JOBS_PUBLISHED_AGAIN.labels(queue.value).inc()
            log.info("job_published_again", report_id=message.report_id, job_id=message.progress_id)

    def _waiting_messages(self, queue: Queue) -> int:
        waiting = int(self._redis.llen(queue.value))
        MESSAGES.labels(queue.value).set(waiting)
        return waiting


def run(settings: Settings, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
    """Sweep every few seconds until the event is set; a failure is logged, and the next sweep tries again.

    `beat` is called after each step, and before each sweep even if the last one failed.
    """
    sweeper = Sweeper(Resources(settings), JobPublisher(settings.redis_url), beat)
    while not stop.is_set():
        beat()
        outcome = _sweep(sweeper)
        SWEEPS.labels(outcome).inc()
        if outcome == "ok":
            LAST_SWEEP.set_to_current_time()
        stop.wait(settings.sweep_seconds)


def _sweep(sweeper: Sweeper) -> str:
    """Sweep once, and log a failure; return the outcome for the metrics."""
    try:
        sweeper.sweep()
    except BROKER_FAILURES:
        log.exception("broker_failed")
        return "broker_failed"
    except (DBAPIError, PoolTimeoutError):
        log.exception("database_failed")
        return "database_failed"
    except StorageError:
        log.exception("storage_failed")
        return "storage_failed"
    return "ok"
