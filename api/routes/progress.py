"""The Progress of a job: show, cancel."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import authorized, scope
from api.errors import ForbiddenError
from api.links import links
from api.openapi.decorators import describe
from api.openapi.operations import progress as operations
from api.params import cancel_message, object_id
from api.responses import conditional, retry_later, serialized_response
from api.serializers import cancelled_progress_json, progress_json
from api.services import services
from models.access.permissions import may_cancel
from models.errors import NotFoundError
from models.reports.requests import cancel_progress
from models.reports.tables import Progress, QuizReport

progress = Blueprint("progress", __name__, url_prefix="/api/v1/progress/<progress_id>")


@progress.get("")
@scope("url:GET|/api/v1/progress/:id")
@describe(operations.SHOW)
def show(progress_id: str) -> Response:
    """Show the Progress of a job."""
    with services().database.reading() as session:
        report = authorized(session).report_of_progress(progress_id).report
    body = progress_json(report, _progress_of(report), links())
    return conditional(serialized_response(body, headers=retry_later(report)))


@progress.post("/cancel")
@scope("url:POST|/api/v1/progress/:id/cancel")
@describe(operations.CANCEL)
def cancel(progress_id: str) -> Response:
    """Cancel a job that is still queued, and show its Progress for the last time."""
    with services().database.transaction() as session:
        context = authorized(session)
        report = context.report_of_progress(progress_id).report
        if not may_cancel(context.caller, _progress_of(report)):
            raise ForbiddenError
        cancelled = cancel_progress(session, object_id(progress_id), cancel_message())
    services().publisher.revoke(cancelled.message)
    return serialized_response(cancelled_progress_json(report, cancelled.progress, links()))


def _progress_of(report: QuizReport) -> Progress:
    if report.progress is None:
        raise NotFoundError
    return report.progress
