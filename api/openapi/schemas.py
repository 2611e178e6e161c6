"""The types of response bodies in the description of the API.

The serializers make plain dictionaries; the tests check every response against these types.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.openapi.request_bodies import PublicReportType
from models.db.ids import MAX_ID, MIN_ID
from models.errors import IssueKind
from models.issues import MOST_EXAMPLES
from models.lms.attempts import AttemptState
from models.lms.quizzes import QuestionType, QuizType, ScoringPolicy
from models.reports.variants import FORMATS, PUBLIC_TYPES, ReportFormat, file_name

Number64 = Annotated[int, Meta(ge=MIN_ID, le=MAX_ID)]
Moment = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        description="ISO 8601, in UTC",
        examples=["2026-09-10T09:12:31Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
SisId = Annotated[str | UnsetType | None, Meta(description="present if the caller may see SIS ids")]

_FILE_NAMES: Final = sorted({file_name(*names) for names in product(PUBLIC_TYPES, ReportFormat)})
_MEDIA_TYPES: Final = sorted({spec.media_type for spec in FORMATS.values()})


class _ResponseBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object of exactly these fields."""


class File(_ResponseBody, kw_only=True):
    """A finished report's file; its `url` works for an hour without a token."""

    id: Number64
    uuid: Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
    folder_id: None
    display_name: Annotated[str, Meta(description="in the language that Accept-Language asks for")]
    filename: Annotated[str, Meta(extra_json_schema={"enum": _FILE_NAMES})]
    upload_status: Literal["success"]
    content_type: Annotated[str, Meta(extra_json_schema={"enum": _MEDIA_TYPES})] = msgspec.field(
        name="content-type"
    )
    url: Url
    size: Annotated[int, Meta(ge=0, description="in bytes")]
    created_at: Moment
    updated_at: Moment
    modified_at: Moment
    unlock_at: None
    lock_at: None
    locked: Literal[False]
    hidden: Literal[False]
    locked_for_user: Literal[False]
    hidden_for_user: Literal[False]
    thumbnail_url: None
    mime_class: Literal["file"]
    media_entry_id: None


class ReportColumn(_ResponseBody, kw_only=True):
    """A column of a report; columns may share a name."""

    name: str
    question_id: Annotated[Number64 | None, Meta(description="of a question's responses or points")]
    kind: Literal["text", "integer", "number", "time"]


class LeftOutAttempts(_ResponseBody, kw_only=True):
    """How many attempts are not in a report, and why."""

    reason: str
    count: Annotated[int, Meta(ge=1)]


class ReportedAttempts(_ResponseBody, kw_only=True):
    """Which attempts are in a report."""

    rule: str
    counted: Annotated[int, Meta(ge=0)]
    left_out: list[LeftOutAttempts]


class ReportProvenance(_ResponseBody, kw_only=True):
    """The data, the options, the rules and the program that a report was made from."""

    report_type: PublicReportType
    course_id: Number64
    quiz_id: Number64
    quiz_title: str
    includes_all_versions: bool
    includes_sis_ids: bool
    anonymous: bool
    section_ids: Annotated[list[Number64], Meta(description="empty if the report is not limited to sections")]
    quiz_revision: Annotated[int, Meta(ge=0)]
    roster_revision: Annotated[int, Meta(ge=0)]
    analysis_version: str
    generated_at: Moment
    attempts: ReportedAttempts
    conventions: Annotated[list[str], Meta(description="the rules of the figures, in sentences")]
    software: str


ReportRows = Annotated[
    list[list[str | float | None]],
    Meta(description="a cell for each column; times as ISO 8601 in UTC, null for what is missing"),
]


class ReportSupplement(_ResponseBody, kw_only=True):
    """A further table of a report."""

    title: str
    columns: list[ReportColumn]
    rows: ReportRows


class JsonReport(_ResponseBody, kw_only=True):
    """A report's file as JSON: where its figures come from, its columns, and the cells of each row."""

    provenance: ReportProvenance
    columns: list[ReportColumn]
    rows: ReportRows
    supplements: Annotated[
        list[ReportSupplement] | UnsetType,
        Meta(
            description="of an item_analysis: its options, the statistics of the quiz, its questions and"
            " their answers, the findings, and the conventions that the figures follow; a question's text is"
            " cut after 200 characters here, and an answer's beside its figures"
        ),
    ] = UNSET


class Results(_ResponseBody, kw_only=True):
    """The result of a completed job."""

    url: Annotated[Url, Meta(description="the file")]


class Progress(_ResponseBody, kw_only=True):
    """The progress of the job of a report."""

    id: Number64
    context_id: Annotated[Number64, Meta(description="the report")]
    context_type: Literal["Quizzes::QuizStatistics"]
    user_id: Annotated[Number64, Meta(description="the user who requested the report")]
    tag: Literal["Quizzes::QuizStatistics"]
    completion: Annotated[float, Meta(ge=0, le=100, description="in percent")]
    workflow_state: Literal["queued", "running", "completed", "failed"]
    created_at: Moment
    updated_at: Moment
    message: Annotated[str | None, Meta(description="the reason for a failure")]
    url: Url
    results: Results | UnsetType = UNSET


class WrappedProgress(Progress, kw_only=True):
    """The progress of the job of a report, twice: New Quizzes clients read either."""

    progress: Progress


class _ReportFields(_ResponseBody, kw_only=True):
    report_type: PublicReportType
    readable_type: Annotated[str, Meta(description="in the language that Accept-Language asks for")]
    includes_all_versions: Annotated[bool, Meta(description="every attempt, or one per student")]
    includes_sis_ids: Annotated[bool, Meta(description="decided by the caller's role")]
    anonymous: Annotated[bool, Meta(description="an anonymous survey: no names, no ids in the file")]
    generatable: Annotated[bool, Meta(description="false for the item_analysis of a survey")]
    created_at: Moment
    updated_at: Moment
    url: Url
    file: Annotated[File | UnsetType, Meta(description="present once the report is generated")] = UNSET


class QuizReport(_ReportFields, kw_only=True):
    """A report of a quiz."""

    id: Number64
    quiz_id: Number64
    progress_url: Annotated[Url | UnsetType, Meta(description="present once a job exists")] = UNSET


class QuizLink(_ResponseBody, kw_only=True):
    """The quiz that a report belongs to."""

    quiz: Url


class JsonApiReport(_ReportFields, kw_only=True):
    """A report of a quiz in Canvas's early JSON-API; `include` names what is embedded."""

    id: str
    links: QuizLink
    progress: Progress | UnsetType = UNSET


class JsonApiMeta(_ResponseBody, kw_only=True):
    """What a list contains."""

    primaryCollection: Literal["quiz_reports"]  # noqa: N815 - the name is Canvas's.


class JsonApiReports(_ResponseBody, kw_only=True):
    """Reports in Canvas's early JSON-API; a single report is a list of one."""

    quiz_reports: list[JsonApiReport]
    meta: Annotated[JsonApiMeta | UnsetType, Meta(description="present in the list only")] = UNSET


class Course(_ResponseBody, kw_only=True):
    """A course."""

    id: Number64
    name: str
    course_code: str | None
    workflow_state: Literal["available"]
    sis_course_id: SisId = UNSET


class Quiz(_ResponseBody, kw_only=True):
    """A quiz of a course."""

    id: Number64
    title: str
    quiz_type: QuizType
    points_possible: float | None
    question_count: Annotated[int, Meta(ge=0)]
    published: bool
    published_at: Moment | None
    anonymous_submissions: bool
    scoring_policy: ScoringPolicy
    html_url: Url


class PageLink(_ResponseBody, kw_only=True):
    """A one-time link to the pages of a quiz."""

    url: Url
    expires_at: Moment


class IssueCount(_ResponseBody, kw_only=True):
    """The issues of one kind."""

    kind: IssueKind
    count: Annotated[int, Meta(ge=1)]
    examples: Annotated[
        list[str], Meta(max_length=MOST_EXAMPLES, description="the paths of the first ones in the body")
    ]


class Section(_ResponseBody, kw_only=True):
    """A section of a course."""

    id: Number64
    name: str
    course_id: Number64
    sis_section_id: SisId = UNSET


class Question(msgspec.Struct, kw_only=True):
    """A question of a quiz, in the form in which it is pushed; its type decides about further fields."""

    id: Number64
    quiz_id: Number64
    position: int | None
    question_type: QuestionType
    question_text: str
    points_possible: float
    answers: list[dict[str, Any]]


class QuizSubmission(_ResponseBody, kw_only=True):
    """A student's submission, with its latest attempt."""

    id: Number64
    quiz_id: Number64
    user_id: Number64
    attempt: int
    workflow_state: AttemptState
    score: float | None
    kept_score: float | None
    started_at: Moment | None
    finished_at: Moment | None


class QuizSubmissions(_ResponseBody, kw_only=True):
    """Submissions of a quiz."""

    quiz_submissions: list[QuizSubmission]


class SubmissionStatistics(_ResponseBody, kw_only=True):
    """The figures of the attempts that count, or of all."""

    scores: Annotated[dict[str, int], Meta(description="how many attempts have each percent of the points")]
    score_average: Annotated[float | None, Meta(description="in points")]
    score_high: float | None
    score_low: float | None
    score_stdev: Annotated[float | None, Meta(description="of the population: divided by n")]
    correct_count_average: float
    incorrect_count_average: float
    duration_average: Annotated[float, Meta(description="in seconds")]
    unique_count: Annotated[int, Meta(ge=0)]
    user_ids: Annotated[list[int] | UnsetType, Meta(description="absent in an anonymous survey")] = UNSET
    logged_out_users: list[str] | UnsetType = UNSET


class QuestionStatistics(msgspec.Struct, kw_only=True):
    """The figures of a question; further fields follow from its type.

    Multiple choice and true/false have `answers` with their counts, the columns of the item_analysis and
    `point_biserials`; short answer, numerical and multiple answers `answers`; blanks, dropdowns and matching
    `answer_sets`; the others `graded`, `full_credit` and `point_distribution`.
    """

    id: str
    question_type: str
    question_text: str
    position: int | None
    responses: Annotated[int, Meta(ge=0, description="how many answered it")]


class _StatisticsFields(_ResponseBody, kw_only=True):
    url: Url
    html_url: Url
    multiple_attempts_exist: bool
    includes_all_versions: bool
    generated_at: Moment
    points_possible: float | None
    anonymous_survey: bool
    question_statistics: list[QuestionStatistics]
    submission_statistics: SubmissionStatistics
    speed_grader_url: None
    quiz_submissions_zip_url: None


class PlainStatistics(_StatisticsFields, kw_only=True):
    """The statistics of a quiz."""

    id: Number64
    quiz_id: Number64


class QuizStatistics(_ResponseBody, kw_only=True):
    """The statistics of a quiz, as a list of one."""

    quiz_statistics: list[PlainStatistics]


class JsonApiStatisticsFields(_StatisticsFields, kw_only=True):
    """The statistics of a quiz in Canvas's early JSON-API."""

    id: str
    links: QuizLink


class JsonApiStatistics(_ResponseBody, kw_only=True):
    """The same, as a list of one."""

    quiz_statistics: list[JsonApiStatisticsFields]


class PushCounts(_ResponseBody, kw_only=True):
    """The number of rows that a push changed; the last three fields with `check` and `on_error` only."""

    created: Annotated[int, Meta(ge=0)]
    updated: Annotated[int, Meta(ge=0)]
    unchanged: Annotated[int, Meta(ge=0)]
    deleted: Annotated[int, Meta(ge=0)]
    revision: Annotated[int, Meta(ge=0, description="of the roster or the quiz, after the push")]
    issues: list[IssueCount] | UnsetType = UNSET
    complete: Annotated[bool | UnsetType, Meta(description="whether all of the body was read")] = UNSET
    skipped: Annotated[int | UnsetType, Meta(description="how many things were skipped")] = UNSET


class Health(_ResponseBody, kw_only=True):
    """The state of the service."""

    status: str
    reason: str | UnsetType = UNSET


class ErrorEntry(_ResponseBody, kw_only=True):
    """One error."""

    message: str
    place: Annotated[
        str | UnsetType,
        Meta(
            description="the path in the body",
            examples=["quiz_submissions[17].submission_data[3].question_id"],
        ),
    ] = UNSET
    error_code: str | UnsetType = UNSET


class Error(_ResponseBody, kw_only=True):
    """The reasons for which a request was refused."""

    errors: list[ErrorEntry]
    status: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    error_report_id: Annotated[
        str | UnsetType, Meta(description="the id to search for in the log, after a 500")
    ] = UNSET
