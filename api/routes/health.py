"""Liveness, readiness and metrics."""

from __future__ import annotations

import prometheus_client
import sqlalchemy.exc
from flask import Blueprint
from werkzeug import Response

from api.metrics import current_metrics
from api.openapi.decorators import describe
from api.openapi.operations import health as operations
from api.responses import json_response
from api.services import services
from models.db.failures import connection_failure
from models.db.schema import applied_revision, is_usable_revision, newest_revision

health = Blueprint("health", __name__)


@health.get("/healthz")
@describe(operations.ALIVE)
def alive() -> Response:
    """Report that the process is alive."""
    return json_response({"status": "ok"})


@health.get("/readyz")
@describe(operations.READY)
def ready() -> Response:
    """Report whether requests can be served: the database responds and has the tables of this release.

    Tables of a newer release count as well, so old processes keep serving while a new release starts.
    """
    reason = _reason_not_ready()
    if reason is None:
        return json_response({"status": "ready"})
    return json_response({"status": "not ready", "reason": reason}, status=503, headers={"Retry-After": "2"})


@health.get("/metrics")
@describe(operations.METRICS)
def metrics() -> Response:
    """Return the metrics in the text format of Prometheus."""
    body = current_metrics(services().database)
    return Response(body, content_type=prometheus_client.CONTENT_TYPE_LATEST)


def _reason_not_ready() -> str | None:
    try:
        with services().database.engine.connect() as connection:
            applied = applied_revision(connection)
    except sqlalchemy.exc.SQLAlchemyError as error:
        return connection_failure(error).fault
    if not is_usable_revision(applied):
        return f"the database is at migration {applied}, this release needs {newest_revision()}"
    return None
