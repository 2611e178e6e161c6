"""The service's metrics in the text format of Prometheus."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import prometheus_client
from prometheus_client import Counter, Histogram

from models.db.session import Database
from models.metrics import collected_registry
from models.reports.job_metrics import JobsCollector

_REQUESTS: Final = Counter(
    "quiz_reports_requests", "Requests that were served.", ["method", "route", "status"]
)
_REQUEST_SECONDS: Final = Histogram("quiz_reports_request_seconds", "Time to respond.", ["method", "route"])
_REFUSED_PUSHES: Final = Counter(
    "quiz_reports_refused_pushes", "Pushes that were refused, nothing stored.", ["route", "kind"]
)
_KINDS: Final = {
    HTTPStatus.UNAUTHORIZED: "token",
    HTTPStatus.FORBIDDEN: "token",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "media_type",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that was responded to; a push that was refused also by its kind."""
    _REQUESTS.labels(method, route, status).inc()
    _REQUEST_SECONDS.labels(method, route).observe(seconds)
    if method == "PUT" and status >= HTTPStatus.BAD_REQUEST:
        kind = next((kind for known, kind in _KINDS.items() if known == status), "other")
        _REFUSED_PUSHES.labels(route, kind).inc()


def current_metrics(database: Database) -> bytes:
    """Return the metrics of the jobs, and of the requests to this process or to all that share metrics."""
    return prometheus_client.generate_latest(collected_registry(JobsCollector(database)))
