"""The New Quizzes form of the request for a report: it answers with a Progress."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import scope, visit
from api.errors import InvalidParameterError
from api.links import links
from api.openapi import request_bodies, schemas
from api.openapi.decorators import FORM, JSON, MULTIPART, Answer, Content, Link, describe
from api.params import object_id, report_wish
from api.responses import answer, retry_later
from api.routes.quiz_reports import request_as
from api.serializers import progress_json
from api.services import services
from models.errors import NotFoundError
from models.lms.quizzes import find_quiz_by_assignment

_FORM = {"quiz_report[report_type]": "item_analysis", "quiz_report[format]": "csv"}
_PROGRESS = {"progress_id": "$response.body#/id"}

new_quiz_reports = Blueprint("new_quiz_reports", __name__)


@new_quiz_reports.post("/api/quiz/v1/courses/<course_id>/quizzes/<assignment_id>/reports")
@scope("url:POST|/api/quiz/v1/courses/:course_id/quizzes/:assignment_id/reports")
@describe(
    {
        200: Answer(
            "The Progress of the job; once completed, its `results` name the file.",
            {JSON: Content(schemas.Progress)},
            headers=["Retry-After"],
            links={"show": Link("progress.show", _PROGRESS), "cancel": Link("progress.cancel", _PROGRESS)},
        )
    },
    body={
        JSON: Content(
            request_bodies.NewQuizRequest, {"quiz_report": {"report_type": "item_analysis", "format": "csv"}}
        ),
        FORM: Content(request_bodies.NewQuizForm, _FORM),
        MULTIPART: Content(request_bodies.NewQuizForm, _FORM),
    },
    refusals={
        400: "An unknown type or format, or an item_analysis of a survey.",
        409: "The report is already being generated.",
    },
)
def create(course_id: str, assignment_id: str) -> Response:
    """Ask for a report of an assignment's quiz."""
    with visit() as visitor:
        access = visitor.course(course_id)
        quiz = find_quiz_by_assignment(visitor.session, access.course.id, object_id(assignment_id))
        wish = report_wish()
        if wish.format != "csv":
            raise InvalidParameterError("invalid quiz report format: only csv is supported")
        requested = request_as(visitor, access, quiz, wish)
    services().publisher.send(requested.message)
    report = requested.report
    if report.progress is None:
        raise NotFoundError
    return answer(progress_json(report, report.progress, links()), headers=retry_later(report))
