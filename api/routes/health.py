"""Whether the service lives, whether it is ready, and its figures."""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
import sqlalchemy.exc
from flask import Blueprint
from prometheus_client import CollectorRegistry, Counter, Histogram, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from werkzeug import Response

from api.openapi import schemas
from api.openapi.decorators import JSON, PLAIN, Answer, Content, describe
from api.responses import json_response
from api.services import Services, services
from models.db.schema import applied_revision, newest_revision

REQUESTS = Counter("quiz_reports_requests", "Requests that were answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("quiz_reports_request_seconds", "Time to answer.", ["method", "route"])

_QUEUES = text(
    """
    SELECT queue, state, count(*),
           coalesce(extract(epoch FROM max(now() - updated_at)), 0)::float,
           count(*) FILTER (WHERE lease_until < now())
    FROM quiz_reports WHERE state IN ('queued', 'running') GROUP BY queue, state
    """
)

health = Blueprint("health", __name__)


@health.get("/healthz")
@describe({200: Answer("It does.", {JSON: Content(schemas.Health)})})
def alive() -> Response:
    """Tell that this process answers."""
    return json_response({"status": "ok"})


@health.get("/readyz")
@describe(
    {
        200: Answer("They can.", {JSON: Content(schemas.Health)}),
        503: Answer("Not yet, and why.", {JSON: Content(schemas.Health)}, ["Retry-After"]),
    }
)
def ready() -> Response:
    """Tell whether requests can be served: the database answers, and has the tables of this release."""
    issue = _problem()
    if issue is None:
        return json_response({"status": "ready"})
    return json_response({"status": "not ready", "reason": issue}, status=503, headers={"Retry-After": "2"})


@health.get("/metrics")
@describe({200: Answer("The figures.", {PLAIN: Content({"type": "string"})})})
def metrics() -> Response:
    """Give the figures in the text format of Prometheus."""
    registry = CollectorRegistry()
    try:
        # Of all processes of a server, where PROMETHEUS_MULTIPROC_DIR lets them share their figures.
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:
        registry = CollectorRegistry()
        registry.register(_ThisProcess())
    registry.register(_Queues(services()))
    return Response(
        prometheus_client.generate_latest(registry), content_type=prometheus_client.CONTENT_TYPE_LATEST
    )


class _ThisProcess(Collector):
    def collect(self) -> Iterator[prometheus_client.Metric]:
        yield from prometheus_client.REGISTRY.collect()


class _Queues(Collector):
    """How many jobs wait and work, and for how long; read from the rows when it is asked for."""

    def __init__(self, of: Services) -> None:
        self._services = of

    def collect(self) -> Iterator[prometheus_client.Metric]:
        labels = ["queue", "state"]
        jobs = GaugeMetricFamily("quiz_reports_jobs", "Jobs that wait or are at work.", labels=labels)
        ages = GaugeMetricFamily(
            "quiz_reports_oldest_job_seconds", "Age of the oldest of them.", labels=labels
        )
        expired = GaugeMetricFamily(
            "quiz_reports_expired_leases", "Jobs whose worker is silent.", labels=["queue"]
        )
        answers = GaugeMetricFamily("quiz_reports_database_up", "Whether the database answers.")
        try:
            with self._services.database.transaction() as session:
                rows = session.execute(_QUEUES).all()
        except sqlalchemy.exc.SQLAlchemyError:
            rows = []
            answers.add_metric([], 0)
        else:
            answers.add_metric([], 1)
        for queue, state, count, seconds, silent in rows:
            jobs.add_metric([queue, state], count)
            ages.add_metric([queue, state], seconds)
            if state == "running":
                expired.add_metric([queue], silent)
        yield from (jobs, ages, expired, answers)


def _problem() -> str | None:
    try:
        with services().database.engine.connect() as connection:
            applied = applied_revision(connection)
    except sqlalchemy.exc.SQLAlchemyError:
        return "the database does not answer"
    if applied != newest_revision():
        return f"the database is at migration {applied}, this release needs {newest_revision()}"
    return None
