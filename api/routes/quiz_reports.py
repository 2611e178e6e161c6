"""The reports of a quiz: list, create, show, abort."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response

from api.auth import authorized, authorized_report, scope
from api.links import links
from api.media_types import JSON_API
from api.openapi.decorators import describe
from api.openapi.operations import quiz_reports as operations
from api.params import Page, list_params, report_params
from api.report_requests import request_variant
from api.responses import conditional, retry_later, serialized_response, wants
from api.serializers import report_json, reports_json_api
from api.services import services
from api.translations import translations
from models.access.permissions import require_sections
from models.reports.requests import abort_report, list_reports
from models.reports.shown import AnyQuiz, AnyReport

quiz_reports = Blueprint(
    "quiz_reports", __name__, url_prefix="/api/v1/courses/<course_id>/quizzes/<quiz_id>/reports"
)


@quiz_reports.get("")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/reports")
@describe(operations.INDEX)
def index(course_id: str, quiz_id: str) -> Response:
    """List the two reports of a quiz, generated or not."""
    with services().database.transaction() as session:
        found = authorized(session).quiz(course_id, quiz_id)
        params = list_params()
        require_sections(session, found.course, params.section_ids)
        reports = list_reports(
            session,
            found.course,
            found.quiz,
            all_versions=params.includes_all_versions,
            sis_ids=found.sees_sis_ids,
            section_ids=params.section_ids,
            formula_guard=services().settings.formula_guard,
        )
    headers = links().list_pages(request.path, Page(1, 10), len(reports))
    if wants(JSON_API):
        body = reports_json_api(reports, found.quiz, links(), translations(), params.include)
        body["meta"] = {"primaryCollection": "quiz_reports"}
        return serialized_response(body, mimetype=JSON_API, headers=headers)
    return serialized_response(
        [report_json(report, found.quiz, links(), translations()) for report in reports], headers=headers
    )


@quiz_reports.post("")
@scope("url:POST|/api/v1/courses/:course_id/quizzes/:quiz_id/reports")
@describe(operations.CREATE)
def create(course_id: str, quiz_id: str) -> Response:
    """Request a report: a new one, or the one that is still current."""
    with services().database.transaction() as session:
        context = authorized(session)
        found = context.quiz(course_id, quiz_id)
        params = report_params()
        requested = request_variant(context, found, params)
    services().publisher.send(requested.message)
    return _report_response(requested.report, found.quiz, params.include)


@quiz_reports.get("/<report_id>")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/reports/:id")
@describe(operations.SHOW)
def show(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Show a report."""
    with services().database.reading() as session:
        found = authorized_report(session, course_id, quiz_id, report_id)
    params = list_params()
    return conditional(_report_response(found.report, found.quiz, params.include))


@quiz_reports.delete("/<report_id>")
@scope("url:DELETE|/api/v1/courses/:course_id/quizzes/:quiz_id/reports/:id")
@describe(operations.ABORT)
def abort(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Abort a queued job, or remove a generated file; the report itself remains."""
    with services().database.transaction() as session:
        found = authorized(session).report(course_id, quiz_id, report_id)
        aborted = abort_report(session, found.quiz.id, found.report.id)
    services().publisher.revoke(aborted.message)
    services().discard(aborted.storage_key)
    return Response(status=204)


def _report_response(report: AnyReport, quiz: AnyQuiz, include: frozenset[str]) -> Response:
    headers = retry_later(report)
    if wants(JSON_API):
        body = reports_json_api([report], quiz, links(), translations(), include)
        return serialized_response(body, mimetype=JSON_API, headers=headers)
    return serialized_response(report_json(report, quiz, links(), translations()), headers=headers)
