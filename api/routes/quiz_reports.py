"""The reports of a quiz: list, create, show, abort."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response

from api.auth import CourseAccess, Visit, reading_visit, scope, visit
from api.links import links
from api.openapi import request_bodies, schemas
from api.openapi.decorators import FORM, JSON, JSON_API, MULTIPART, Answer, Content, Link, Parameter, describe
from api.params import Page, ReportWish, list_wish, report_wish
from api.responses import answer, conditional, retry_later, wants
from api.serializers import report_json, reports_json_api
from api.services import services
from api.translations import texts
from models.lms.quizzes import Quiz
from models.reports.requests import Requested, abort_report, list_reports, request_report
from models.reports.tables import QuizReport
from models.reports.variants import Variant, parse_report_type

_REPORTS = "url:{}|/api/v1/courses/:course_id/quizzes/:quiz_id/reports"

_ALL_VERSIONS = Parameter(
    "includes_all_versions",
    request_bodies.BooleanText,
    "Of the student_analysis: every attempt, or one per student.",
    example="true",
)
_INCLUDE = Parameter(
    "include[]",
    list[str],
    "What JSON-API embeds: `file`, `progress`. Plain JSON has its `file` anyway.",
    ["file"],
)
_HERE = {"course_id": "$request.path.course_id", "quiz_id": "$request.path.quiz_id"}
_THIS = {**_HERE, "report_id": "$response.body#/id"}
_LINKS = {"show": Link("quiz_reports.show", _THIS), "abort": Link("quiz_reports.abort", _THIS)}
_FILE = {"file_id": "$response.body#/file/id"}
_FILE_LINKS = {"file": Link("files.show", _FILE), "download": Link("files.download", _FILE)}
_ONE = {JSON: Content(schemas.QuizReport), JSON_API: Content(schemas.JsonApiReports)}
_WISHES = {
    JSON: Content(request_bodies.ReportRequest, {"quiz_report": {"report_type": "student_analysis"}}),
    JSON_API: Content(
        request_bodies.JsonApiReportRequest,
        {"quiz_reports": [{"report_type": "student_analysis"}], "include": ["file"]},
    ),
    FORM: Content(request_bodies.ReportForm, {"quiz_report[report_type]": "item_analysis"}),
    MULTIPART: Content(request_bodies.ReportForm, {"quiz_report[report_type]": "item_analysis"}),
}

quiz_reports = Blueprint(
    "quiz_reports", __name__, url_prefix="/api/v1/courses/<course_id>/quizzes/<quiz_id>/reports"
)


@quiz_reports.get("")
@scope(_REPORTS.format("GET"))
@describe(
    {
        200: Answer(
            "Always two reports, `student_analysis` first.",
            {JSON: Content(list[schemas.QuizReport]), JSON_API: Content(schemas.JsonApiReports)},
            headers=["Link"],
            links={"show": Link("quiz_reports.show", {**_HERE, "report_id": "$response.body#/0/id"})},
        )
    },
    parameters=[_ALL_VERSIONS, _INCLUDE],
    notes="Parameters may also stand in a form or in JSON as the body of the GET.",
)
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
@describe(
    {200: Answer("The report; its job has begun, unless it has its file.", _ONE, ["Retry-After"], _LINKS)},
    body=_WISHES,
    refusals={
        400: "An unknown or missing report type, or an item_analysis of a survey.",
        409: "The report is already being generated.",
    },
    notes="The fields of the form may stand in the query instead, with an empty body."
    " `includes_all_versions` may stand at the top level, too; nested wins.",
)
def create(course_id: str, quiz_id: str) -> Response:
    """Ask for a report: a new one, or the one that is still current."""
    with visit() as visitor:
        access, quiz = visitor.quiz(course_id, quiz_id)
        wish = report_wish()
        requested = request_as(visitor, access, quiz, wish)
    services().publisher.send(requested.message)
    return _answer_one(requested.report, quiz, wish.include)


@quiz_reports.get("/<report_id>")
@scope(_REPORTS.format("GET") + "/:id")
@describe(
    {
        200: Answer("The report.", _ONE, ["ETag", "Retry-After"], {**_LINKS, **_FILE_LINKS}),
        304: Answer("Nothing has changed since the ETag that was sent.", headers=["ETag"]),
    },
    parameters=[_INCLUDE],
)
def show(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Show a report."""
    with reading_visit() as visitor:
        quiz, report = visitor.report(course_id, quiz_id, report_id)
        wish = list_wish()
    return conditional(_answer_one(report, quiz, wish.include))


@quiz_reports.delete("/<report_id>")
@scope(_REPORTS.format("DELETE") + "/:id")
@describe(
    {204: Answer("Done; the report is still there, without file and Progress.")},
    refusals={422: "The job is running, or there is nothing to abort."},
)
def abort(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Abort a queued job, or remove a generated file; the report itself stays."""
    with visit() as visitor:
        quiz, report = visitor.report(course_id, quiz_id, report_id)
        aborted = abort_report(visitor.session, quiz.id, report.id)
    services().publisher.revoke(aborted.message)
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
