"""The service's metrics in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import prometheus_client
import sqlalchemy.exc
from prometheus_client import CollectorRegistry, Counter, Histogram, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from models.db.session import Database

REQUESTS: Final = Counter(
    "quiz_reports_requests", "Requests that were served.", ["method", "route", "status"]
)
REQUEST_SECONDS: Final = Histogram("quiz_reports_request_seconds", "Time to respond.", ["method", "route"])

_JOBS: Final = text(
    """
    SELECT queue, state, count(*),
           coalesce(extract(epoch FROM max(now() - updated_at)), 0)::float,
           count(*) FILTER (WHERE lease_until < now())
    FROM quiz_reports WHERE state IN ('queued', 'running') GROUP BY queue, state
    """
)


def current_metrics(database: Database) -> bytes:
    """Return the metrics of the jobs, and of the requests to this process or to all that share metrics."""
    registry = CollectorRegistry()
    try:
        # PROMETHEUS_MULTIPROC_DIR makes the processes of a server share their metrics.
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:
        registry = CollectorRegistry()
        registry.register(_ThisProcess())
    registry.register(_Jobs(database))
    return prometheus_client.generate_latest(registry)


class _ThisProcess(Collector):
    def collect(self) -> Iterator[prometheus_client.Metric]:
        yield from prometheus_client.REGISTRY.collect()


class _Jobs(Collector):
    """The number of queued and running jobs, and their ages, read from the rows at each request."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[prometheus_client.Metric]:
        labels = ["queue", "state"]
        jobs = GaugeMetricFamily("quiz_reports_jobs", "Jobs that are queued or running.", labels=labels)
        ages = GaugeMetricFamily("quiz_reports_oldest_job_seconds", "Age of the oldest job.", labels=labels)
        expired = GaugeMetricFamily(
            "quiz_reports_expired_leases", "Running jobs whose lease has expired.", labels=["queue"]
        )
        database_up = GaugeMetricFamily("quiz_reports_database_up", "Whether the database responds.")
        try:
            with self._database.transaction() as session:
                rows = session.execute(_JOBS).all()
        except sqlalchemy.exc.SQLAlchemyError:
            rows = []
            database_up.add_metric([], 0)
        else:
            database_up.add_metric([], 1)
        for queue, state, count, seconds, expired_leases in rows:
            jobs.add_metric([queue, state], count)
            ages.add_metric([queue, state], seconds)
            if state == "running":
                expired.add_metric([queue], expired_leases)
        yield from (jobs, ages, expired, database_up)
