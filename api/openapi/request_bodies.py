"""What JSON looks like in bodies: the types that the description of the API is made from.

What the LMS pushes is described by the types that read it. The requests of clients come in more spellings
than these; `api.params` reads them all.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from models.payloads.attempts import Submission
from models.payloads.courses import PushedCourse
from models.payloads.json_values import Id, Text
from models.payloads.questions import PushedAnswer, PushedMatch, PushedQuestion, PushedVariable
from models.payloads.quizzes import PushedQuiz
from models.reports.variants import ReportType


class Boolean:
    """True or false, in one of the spellings that Canvas reads."""


class BooleanText:
    """The same where everything is a text: in forms and in the query."""


class Anything:
    """Any value; what is not known is ignored."""


class ReportWish(msgspec.Struct, kw_only=True):
    """Which report is asked for."""

    report_type: ReportType
    includes_all_versions: Boolean | UnsetType = UNSET


class ReportRequest(msgspec.Struct, kw_only=True):
    """A request for a report as JSON."""

    quiz_report: ReportWish
    include: Anything | UnsetType = UNSET


class JsonApiReportRequest(msgspec.Struct, kw_only=True):
    """A request for a report as JSON-API."""

    quiz_reports: Annotated[list[ReportWish], Meta(min_length=1)]
    include: Anything | UnsetType = UNSET


class ReportForm(msgspec.Struct, kw_only=True):
    """A request for a report as a form."""

    report_type: ReportType = msgspec.field(name="quiz_report[report_type]")
    includes_all_versions: BooleanText | UnsetType = msgspec.field(
        name="quiz_report[includes_all_versions]", default=UNSET
    )


class NewQuizWish(msgspec.Struct, kw_only=True):
    """Which report is asked for, and how it is written."""

    report_type: ReportType
    format: Literal["csv"]


class NewQuizRequest(msgspec.Struct, kw_only=True):
    """A request for a report in the form of New Quizzes."""

    quiz_report: NewQuizWish


class NewQuizForm(msgspec.Struct, kw_only=True):
    """The same as a form."""

    report_type: ReportType = msgspec.field(name="quiz_report[report_type]")
    format: Literal["csv"] = msgspec.field(name="quiz_report[format]")


class CancelRequest(msgspec.Struct, kw_only=True):
    """Why a job is cancelled."""

    message: Annotated[str, Meta(pattern="^[^\u0000]*$")] | UnsetType | None = UNSET


class CourseBody(msgspec.Struct):
    """A course with its sections, users and enrollments."""

    course: PushedCourse


def _like(kind: type[msgspec.Struct], **kinds: Any) -> Any:
    """Make a type like the one that reads, without its defaults, and with the parts that it leaves unread."""
    fields = [
        (
            known.name,
            kinds.get(known.name, known.type),
            msgspec.field() if known.required else msgspec.field(default=UNSET),
        )
        for known in msgspec.structs.fields(kind)
    ]
    return msgspec.defstruct(kind.__name__, fields, namespace={"__doc__": kind.__doc__}, kw_only=True)


def _list_of(kind: Any) -> Any:
    return list[kind]


def _maybe(kind: Any) -> Any:
    return kind | UnsetType | None


class Answered(msgspec.Struct, kw_only=True):
    """How one question was answered; further keys depend on its type."""

    question_id: Id
    correct: Literal["partial", "undefined"] | bool | UnsetType | None = UNSET
    points: float | UnsetType | None = UNSET
    text: Text | UnsetType = UNSET
    answer_id: Annotated[
        Id | UnsetType | None, Meta(description="multiple choice, true/false, short answer, numerical")
    ] = UNSET


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
    Submission, submission_data=_maybe(_list_of(Answered)), quiz_data=_maybe(_list_of(_QUESTION))
)
SubmissionsBody: Final = msgspec.defstruct(
    "SubmissionsBody",
    [("quiz_submissions", _list_of(SubmissionLine))],
    namespace={"__doc__": "Attempts at a quiz."},
)
