"""The request for a report as New Quizzes makes it; the response is a Progress."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import authorized, scope
from api.links import links
from api.openapi.decorators import describe
from api.openapi.operations import new_quiz_reports as operations
from api.params import report_params
from api.report_requests import request_new_quizzes_variant
from api.responses import retry_later, serialized_response
from api.serializers import progress_json
from api.services import services
from models.errors import NotFoundError

new_quiz_reports = Blueprint("new_quiz_reports", __name__)


@new_quiz_reports.post("/api/quiz/v1/courses/<course_id>/quizzes/<assignment_id>/reports")
@scope("url:POST|/api/quiz/v1/courses/:course_id/quizzes/:assignment_id/reports")
@describe(operations.CREATE)
def create(course_id: str, assignment_id: str) -> Response:
    """Request a report of an assignment's quiz."""
    with services().database.transaction() as session:
        context = authorized(session)
        found = context.quiz_of_assignment(course_id, assignment_id)
        requested = request_new_quizzes_variant(context, found, report_params())
    services().publisher.send(requested.message)
    report = requested.report
    if report.progress is None:
        raise NotFoundError
    progress = progress_json(report, report.progress, links())
    # The documentation shows a bare Progress, the live service wraps it; clients read one or the other.
    return serialized_response({**progress, "progress": progress}, status=201, headers=retry_later(report))
