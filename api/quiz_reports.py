"""The reports of a quiz: list, create, show, abort."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response

from api.answers import JSON_API, answer, conditional, retry_later, wants
from api.auth import CourseAccess, Visit, scope, visit
from api.links import links
from api.params import Page, ReportWish, list_wish, object_id, report_wish
from api.serializers import report_json, reports_json_api
from api.services import services
from api.translations import texts
from models.quizzes import Quiz
from models.report_requests import Requested, abort_report, find_report, list_reports, request_report
from models.reports import QuizReport, Variant, parse_report_type

_REPORTS = "url:{}|/api/v1/courses/:course_id/quizzes/:quiz_id/reports"

quiz_reports = Blueprint(
    "quiz_reports", __name__, url_prefix="/api/v1/courses/<course_id>/quizzes/<quiz_id>/reports"
)


@quiz_reports.get("")
@scope(_REPORTS.format("GET"))
def index(course_id: str, quiz_id: str) -> Response:
    """List the two reports of a quiz, generated or not."""
    with visit() as visitor:
        access, quiz = visitor.quiz(course_id, quiz_id)
        wish = list_wish()
        reports = list_reports(
            visitor.session,
            access.course,
            quiz,
            all_versions=wish.includes_all_versions,
            sis_ids=access.sees_sis_ids,
            analysis_version=services().analysis_version,
        )
    url, voice = links(), texts()
    headers = url.pages(request.path, Page(1, 10), len(reports))
    if wants(JSON_API):
        body = reports_json_api(reports, quiz, url, voice, wish.include)
        return answer({**body, "meta": {"primaryCollection": "quiz_reports"}}, json_api=True, headers=headers)
    return answer([report_json(report, quiz, url, voice) for report in reports], headers=headers)


@quiz_reports.post("")
@scope(_REPORTS.format("POST"))
def create(course_id: str, quiz_id: str) -> Response:
    """Ask for a report: a new one, or the one that is still current."""
    with visit() as visitor:
        access, quiz = visitor.quiz(course_id, quiz_id)
        wish = report_wish()
        requested = request_as(visitor, access, quiz, wish)
    services().hints.send(requested.hint)
    return _answer_one(requested.report, quiz, wish.include)


@quiz_reports.get("/<report_id>")
@scope(_REPORTS.format("GET") + "/:id")
def show(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Show a report."""
    with visit() as visitor:
        access, quiz = visitor.quiz(course_id, quiz_id)
        report = access.require(find_report(visitor.session, quiz.id, object_id(report_id)))
        wish = list_wish()
    return conditional(_answer_one(report, quiz, wish.include))


@quiz_reports.delete("/<report_id>")
@scope(_REPORTS.format("DELETE") + "/:id")
def abort(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Abort a queued job, or remove a generated file; the report itself stays."""
    with visit() as visitor:
        access, quiz = visitor.quiz(course_id, quiz_id)
        report = access.require(find_report(visitor.session, quiz.id, object_id(report_id)))
        aborted = abort_report(visitor.session, quiz.id, report.id)
    services().hints.revoke(aborted.progress_id)
    services().discard(aborted.storage_key)
    return Response(status=204)


def request_as(visitor: Visit, access: CourseAccess, quiz: Quiz, wish: ReportWish) -> Requested:
    """Ask for the variant of a report that a caller's wish and rights come to."""
    variant = Variant.of(
        quiz,
        parse_report_type(wish.report_type, quiz),
        all_versions=wish.includes_all_versions,
        sis_ids=access.sees_sis_ids,
    )
    return request_report(
        visitor.session,
        access.course,
        quiz,
        variant,
        user_id=visitor.caller.user_id,
        analysis_version=services().analysis_version,
        large_responses=services().settings.large_responses,
    )


def _answer_one(report: QuizReport, quiz: Quiz, include: frozenset[str]) -> Response:
    headers = retry_later(report)
    if wants(JSON_API):
        body = reports_json_api([report], quiz, links(), texts(), include)
        return answer(body, json_api=True, headers=headers)
    return answer(report_json(report, quiz, links(), texts()), headers=headers)
