"""The metrics of the jobs, read from the rows whenever Prometheus asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import prometheus_client
import sqlalchemy.exc
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from models.db.session import Database
from models.reports.tables import Queue

_STATES: Final = ("queued", "running")
_JOBS: Final = text(
    """
    SELECT queue, state, count(*),
           coalesce(extract(epoch FROM max(now() - updated_at)), 0)::float,
           count(*) FILTER (WHERE lease_until < now())
    FROM quiz_reports WHERE state IN ('queued', 'running') GROUP BY queue, state
    """
)


class JobsCollector(Collector):
    """The number of queued and running jobs and their ages; zero where there are none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[prometheus_client.Metric]:
        """Read the rows; if the database does not respond, only that is shown."""
        labels = ["queue", "state"]
        jobs = GaugeMetricFamily("quiz_reports_jobs", "Jobs that are queued or running.", labels=labels)
        ages = GaugeMetricFamily("quiz_reports_oldest_job_seconds", "Age of the oldest job.", labels=labels)
        expired = GaugeMetricFamily(
            "quiz_reports_expired_leases", "Running jobs whose lease has expired.", labels=["queue"]
        )
        database_up = GaugeMetricFamily("quiz_reports_database_up", "Whether the database responds.")
        try:
            with self._database.transaction() as session:
                rows = {(row[0], row[1]): row for row in session.execute(_JOBS)}
        except sqlalchemy.exc.SQLAlchemyError:
            database_up.add_metric([], 0)
        else:
            database_up.add_metric([], 1)
            for queue, state in itertools.product(Queue, _STATES):
                _, _, count, seconds, expired_leases = rows.get((queue, state), (queue, state, 0, 0.0, 0))
                jobs.add_metric([queue, state], count)
                ages.add_metric([queue, state], seconds)
                if state == "running":
                    expired.add_metric([queue], expired_leases)
        yield from (jobs, ages, expired, database_up)
