"""The types of request bodies in the description of the API.

The payloads of the LMS are described by the types that read them. Clients spell their parameters in more
ways than these types show; `api.params` reads them all.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from models.payloads.attempts import Submission
from models.payloads.courses import PushedCourse, PushedEnrollment, PushedSection, PushedUser
from models.payloads.json_values import Id, Text
from models.payloads.questions import PushedAnswer, PushedMatch, PushedQuestion, PushedVariable
from models.payloads.quizzes import PushedQuiz
from models.reports.variants import CLASSIC_FORMATS, PUBLIC_TYPES

ClassicFormat = Annotated[str, Meta(extra_json_schema={"enum": [*CLASSIC_FORMATS]})]
PublicReportType = Annotated[str, Meta(extra_json_schema={"enum": [*PUBLIC_TYPES]})]


class Boolean:
    """True or false, in any of the spellings that Canvas accepts."""


class BooleanText:
    """True or false in a form or in the query, where each value is a string."""


class ObjectKey:
    """An id, or an SIS id after `sis_course_id:` or `sis_user_id:`."""


class SectionIds:
    """The ids of sections of the course, whose students alone are in the report."""


class SectionIdsText:
    """The same ids in a form or in the query, joined by commas; the parameter may also repeat."""


class Anything:
    """Any value; unknown values are ignored."""


class SubmissionRow:
    """An attempt, or a row that holds none, whose other fields may have any value."""

    WITHOUT_ATTEMPT: Final = (
        {"type": "object", "properties": {"attempt": {"type": "null"}}, "required": ["attempt"]},
        {
            "type": "object",
            "properties": {"workflow_state": {"enum": ["untaken", "settings_only", "unsubmitted"]}},
            "required": ["workflow_state"],
        },
    )


class QuizReportRequest(msgspec.Struct, kw_only=True):
    """The requested report."""

    report_type: PublicReportType
    format: ClassicFormat | UnsetType | None = UNSET
    includes_all_versions: Boolean | UnsetType = UNSET
    section_ids: SectionIds | UnsetType = UNSET


class QuizReportBody(msgspec.Struct, kw_only=True):
    """A request for a report as JSON."""

    quiz_report: QuizReportRequest
    include: Anything | UnsetType = UNSET


class PageLinkRequest(msgspec.Struct, kw_only=True):
    """The user whom the link signs in, and the quiz whose pages it opens."""

    user_id: ObjectKey
    course_id: ObjectKey
    quiz_id: Id


class PageLinkBody(msgspec.Struct, kw_only=True):
    """A request for a link to the pages as JSON."""

    page_link: PageLinkRequest


class PageLinkForm(msgspec.Struct, kw_only=True):
    """A request for a link to the pages as a form."""

    user_id: str = msgspec.field(name="page_link[user_id]")
    course_id: str = msgspec.field(name="page_link[course_id]")
    quiz_id: str = msgspec.field(name="page_link[quiz_id]")


class JsonApiQuizReportBody(msgspec.Struct, kw_only=True):
    """A request for a report as JSON-API."""

    quiz_reports: Annotated[list[QuizReportRequest], Meta(min_length=1)]
    include: Anything | UnsetType = UNSET


class QuizReportForm(msgspec.Struct, kw_only=True):
    """A request for a report as a form."""

    report_type: PublicReportType = msgspec.field(name="quiz_report[report_type]")
    format: ClassicFormat | UnsetType = msgspec.field(name="quiz_report[format]", default=UNSET)
    includes_all_versions: BooleanText | UnsetType = msgspec.field(
        name="quiz_report[includes_all_versions]", default=UNSET
    )
    section_ids: SectionIdsText | UnsetType = msgspec.field(name="quiz_report[section_ids]", default=UNSET)


class NewQuizReportRequest(msgspec.Struct, kw_only=True):
    """The requested report and its format."""

    report_type: PublicReportType
    format: Literal["csv", "json"]


class NewQuizReportBody(msgspec.Struct, kw_only=True):
    """A request for a report as New Quizzes makes it."""

    quiz_report: NewQuizReportRequest


class NewQuizReportForm(msgspec.Struct, kw_only=True):
    """The same request as a form."""

    report_type: PublicReportType = msgspec.field(name="quiz_report[report_type]")
    format: Literal["csv", "json"] = msgspec.field(name="quiz_report[format]")


class CancelBody(msgspec.Struct, kw_only=True):
    """The reason for a cancellation."""

    message: Annotated[str, Meta(pattern="^[^\u0000]*$")] | UnsetType | None = UNSET


def _like(kind: type[msgspec.Struct], **kinds: Any) -> Any:
    """Copy a type without its defaults; `kinds` gives the types of fields that it does not decode."""
    fields = [
        (
            field.name,
            kinds.get(field.name, field.type),
            msgspec.field() if field.required else msgspec.field(default=UNSET),
        )
        for field in msgspec.structs.fields(kind)
    ]
    return msgspec.defstruct(kind.__name__, fields, namespace={"__doc__": kind.__doc__}, kw_only=True)


def _list_of(kind: Any) -> Any:
    return list[kind]


def _maybe(kind: Any) -> Any:
    return kind | UnsetType | None


class SubmissionDatum(msgspec.Struct, kw_only=True):
    """The response to one question; further keys depend on the type of the question."""

    question_id: Id
    correct: Annotated[
        str | bool | UnsetType | None,
        Meta(
            description='true, false (also as texts), "partial", "undefined", "defined", "no_score" or null; '
            "any other text counts as correct"
        ),
    ] = UNSET
    points: float | UnsetType | None = UNSET
    text: Text | UnsetType = UNSET
    answer_id: Annotated[
        Id | UnsetType | None,
        Meta(description="multiple choice, true/false, short answer, numerical; calculated: the drawn set"),
    ] = UNSET


_COURSE: Final = _like(
    PushedCourse,
    sections=_list_of(PushedSection) | UnsetType,
    users=_list_of(PushedUser) | UnsetType,
    enrollments=_list_of(PushedEnrollment) | UnsetType,
)
CourseBody: Final = msgspec.defstruct(
    "CourseBody",
    [("course", _COURSE)],
    namespace={"__doc__": "A course with its sections, users and enrollments."},
)
_ANSWER: Final = _like(PushedAnswer, variables=_maybe(_list_of(_like(PushedVariable))))
_QUESTION: Final = _like(
    PushedQuestion, answers=_maybe(_list_of(_ANSWER)), matches=_maybe(_list_of(_like(PushedMatch)))
)
QuizBody: Final = msgspec.defstruct(
    "QuizBody",
    [("quiz", _like(PushedQuiz, questions=_list_of(_QUESTION) | UnsetType))],
    namespace={"__doc__": "A quiz with its questions."},
)
SubmissionLine: Final = _like(
    Submission, submission_data=_maybe(_list_of(SubmissionDatum)), quiz_data=_maybe(_list_of(_QUESTION))
)
SubmissionsBody: Final = msgspec.defstruct(
    "SubmissionsBody",
    [("quiz_submissions", _list_of(SubmissionRow))],
    namespace={"__doc__": "Attempts at a quiz."},
)
