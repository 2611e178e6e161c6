"""The reports of a quiz."""

from __future__ import annotations

from typing import Final

from api.media_types import FORM, JSON, JSON_API, MULTIPART
from api.openapi import schemas
from api.openapi.decorators import Content, Link, Operation, Parameter, ResponseSpec
from api.openapi.operations.unchanged import NOT_MODIFIED
from api.openapi.request_bodies import (
    BooleanText,
    JsonApiQuizReportBody,
    QuizReportBody,
    QuizReportForm,
    SectionIdsText,
)

_ALL_VERSIONS: Final = Parameter(
    "includes_all_versions",
    BooleanText,
    "Whether the student_analysis has every attempt, or one per student.",
    "true",
)
_SECTION_IDS: Final = Parameter(
    "section_ids", SectionIdsText, "The sections of the course whose students alone are in the report.", ""
)
_INCLUDE: Final = Parameter(
    "include[]",
    list[str],
    "What JSON-API embeds: `file`, `progress`. Plain JSON always has its `file`.",
    ["file"],
)
_QUIZ: Final = {"course_id": "$request.path.course_id", "quiz_id": "$request.path.quiz_id"}
_REPORT: Final = {**_QUIZ, "report_id": "$response.body#/id"}
_FIRST_REPORT: Final = {**_QUIZ, "report_id": "$response.body#/0/id"}
_FILE: Final = {"file_id": "$response.body#/file/id"}
_LINKS: Final = {"show": Link("quiz_reports.show", _REPORT), "abort": Link("quiz_reports.abort", _REPORT)}
_FILE_LINKS: Final = {"file": Link("files.show", _FILE), "download": Link("files.download", _FILE)}
_ONE_REPORT: Final = {JSON: Content(schemas.QuizReport), JSON_API: Content(schemas.JsonApiReports)}
_FORM: Final = Content(QuizReportForm, {"quiz_report[report_type]": "item_analysis"})

INDEX: Final = Operation(
    {
        200: ResponseSpec(
            "Always two reports, `student_analysis` first, as CSV.",
            {JSON: Content(list[schemas.QuizReport]), JSON_API: Content(schemas.JsonApiReports)},
            headers=["Link"],
            links={"show": Link("quiz_reports.show", _FIRST_REPORT)},
        )
    },
    parameters=[_ALL_VERSIONS, _SECTION_IDS, _INCLUDE],
    refusals={400: "A section is not one of the course."},
    notes="The body of the GET may also hold the parameters, as a form or as JSON.",
)

CREATE: Final = Operation(
    {
        200: ResponseSpec(
            "The report. A job is queued for it unless it has its file.", _ONE_REPORT, ["Retry-After"], _LINKS
        )
    },
    body={
        JSON: Content(QuizReportBody, {"quiz_report": {"report_type": "student_analysis"}}),
        JSON_API: Content(
            JsonApiQuizReportBody,
            {"quiz_reports": [{"report_type": "student_analysis"}], "include": ["file"]},
        ),
        FORM: _FORM,
        MULTIPART: _FORM,
    },
    refusals={
        400: "The report type or the format is unknown, a section is not one of the course, or the quiz is a"
        " survey, which has no item_analysis.",
        409: "The report is already being generated.",
    },
    notes="With an empty body, the query may hold the fields of the form."
    " `format` (`csv` if it is absent), `includes_all_versions` and `section_ids` may also be at the top"
    " level; the nested ones take precedence.",
)

SHOW: Final = Operation(
    {
        200: ResponseSpec("The report.", _ONE_REPORT, ["ETag", "Retry-After"], {**_LINKS, **_FILE_LINKS}),
        304: NOT_MODIFIED,
    },
    parameters=[_INCLUDE],
)

ABORT: Final = Operation(
    {204: ResponseSpec("Done. The report remains, without file and Progress.")},
    refusals={422: "The job is running, or there is nothing to abort."},
)
