"""The New Quizzes form of the request for a report: it answers with a Progress."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.answers import answer, retry_later
from api.auth import scope, visit
from api.errors import InvalidParameterError
from api.links import links
from api.params import object_id, report_wish
from api.quiz_reports import request_as
from api.serializers import progress_json
from api.services import services
from models.errors import NotFoundError
from models.quizzes import find_quiz_by_assignment

new_quiz_reports = Blueprint("new_quiz_reports", __name__)


@new_quiz_reports.post("/api/quiz/v1/courses/<course_id>/quizzes/<assignment_id>/reports")
@scope("url:POST|/api/quiz/v1/courses/:course_id/quizzes/:assignment_id/reports")
def create(course_id: str, assignment_id: str) -> Response:
    """Ask for a report of an assignment's quiz."""
    with visit() as visitor:
        access = visitor.course(course_id)
        quiz = find_quiz_by_assignment(visitor.session, access.course.id, object_id(assignment_id))
        wish = report_wish()
        if wish.format != "csv":
            raise InvalidParameterError("invalid quiz report format: only csv is supported")
        requested = request_as(visitor, access, quiz, wish)
    services().hints.send(requested.hint)
    report = requested.report
    if report.progress is None:
        raise NotFoundError
    return answer(progress_json(report, report.progress, links()), headers=retry_later(report))
