"""What can be requested of a quiz: the types of report, the formats of their files, and their options.

The workers' half of this table says how each is made: `workers.report_types`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from models.errors import InvalidReportFormatError, InvalidReportTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from models.lms.quizzes import Quiz, QuizType


class ReportType(StrEnum):
    """What is generated of a quiz: its two reports, and the statistics, which the API shows in other ways."""

    STUDENT_ANALYSIS = "student_analysis"
    ITEM_ANALYSIS = "item_analysis"
    STATISTICS = "statistics"


class AttemptChoice(StrEnum):
    """Which attempt of each student the statistics read; the reports have rules of their own."""

    BY_TYPE = "by_type"
    FIRST = "first"
    LAST = "last"
    KEPT = "kept"


class ReportFormat(StrEnum):
    """The formats of a file."""

    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    NEW_QUIZZES_CSV = "new_quizzes_csv"
    NEW_QUIZZES_JSON = "new_quizzes_json"


@dataclass(frozen=True)
class TypeSpec:
    """What can be requested of a report type.

    The names are English, and the keys of their translations. The options of a type without any are fixed: it
    reads every version and shows no SIS ids. An internal type is neither listed nor requested by its name.
    """

    version: int
    """Raised with every change that makes a different file from the same data."""
    readable_name: str
    quiz_file: str
    survey_file: str
    has_options: bool
    covers_surveys: bool
    formats: tuple[ReportFormat, ...]
    is_internal: bool = False


@dataclass(frozen=True)
class FormatSpec:
    """How a format is served; `guards_formulas` says that the formula guard changes its bytes.

    A format with a `new_quizzes_name` is a layout of New Quizzes. Only a request in the form of New Quizzes
    may name it, and by this name.
    """

    content_type: str
    ending: str
    guards_formulas: bool = False
    new_quizzes_name: str | None = None

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0]


FORMATS: Final[Mapping[ReportFormat, FormatSpec]] = {
    ReportFormat.CSV: FormatSpec("text/csv; charset=utf-8", "csv", guards_formulas=True),
    ReportFormat.JSON: FormatSpec("application/json", "json"),
    ReportFormat.XLSX: FormatSpec(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"
    ),
    ReportFormat.NEW_QUIZZES_CSV: FormatSpec(
        "text/csv; charset=utf-8", "csv", guards_formulas=True, new_quizzes_name="csv"
    ),
    ReportFormat.NEW_QUIZZES_JSON: FormatSpec("application/json", "json", new_quizzes_name="json"),
}

CLASSIC_FORMATS: Final = tuple(
    report_format for report_format, spec in FORMATS.items() if spec.new_quizzes_name is None
)
"""The formats that `quiz_report[format]` may name."""

TYPES: Final[Mapping[ReportType, TypeSpec]] = {
    ReportType.STUDENT_ANALYSIS: TypeSpec(
        version=2,
        readable_name="Student Analysis",
        quiz_file="{title} Quiz Student Analysis Report",
        survey_file="{title} Survey Student Analysis Report",
        has_options=True,
        covers_surveys=True,
        formats=CLASSIC_FORMATS,
    ),
    ReportType.ITEM_ANALYSIS: TypeSpec(
        version=3,
        readable_name="Item Analysis",
        quiz_file="{title} Quiz Item Analysis Report",
        survey_file="{title} Survey Item Analysis Report",
        has_options=False,
        covers_surveys=False,
        formats=CLASSIC_FORMATS,
    ),
    ReportType.STATISTICS: TypeSpec(
        version=3,
        readable_name="Statistics",
        quiz_file="{title} Quiz Statistics",
        survey_file="{title} Survey Statistics",
        has_options=True,
        covers_surveys=True,
        formats=(ReportFormat.JSON,),
        is_internal=True,
    ),
}

PUBLIC_TYPES: Final = tuple(kind for kind in ReportType if not TYPES[kind].is_internal)
"""The types of report that clients list and request, in the order of the list."""

# An entry of the unique index of live variants holds 2,700 bytes, eight for each section.
MOST_SECTIONS: Final = 300


@dataclass(frozen=True)
class Variant:
    """A quiz, a report type, a format and the options that change the file.

    Each field is a column of `quiz_reports` with the same name. The sections, in ascending order, limit the
    report to their students; without any it has all respondents.
    """

    quiz_id: int
    report_type: ReportType
    format: ReportFormat
    includes_all_versions: bool
    includes_sis_ids: bool
    anonymous: bool
    section_ids: tuple[int, ...] = ()
    attempt_choice: AttemptChoice = AttemptChoice.BY_TYPE

    @classmethod
    def of(
        cls,
        quiz: Quiz,
        report_type: ReportType,
        report_format: ReportFormat = ReportFormat.CSV,
        *,
        all_versions: bool,
        sis_ids: bool,
        section_ids: Collection[int] = (),
    ) -> Variant:
        """Return the variant for the requested options, as far as they apply to the type."""
        has_options = TYPES[report_type].has_options
        return cls(
            quiz_id=quiz.id,
            report_type=report_type,
            format=report_format,
            includes_all_versions=all_versions or not has_options,
            includes_sis_ids=sis_ids and has_options,
            anonymous=quiz.is_anonymous_survey,
            section_ids=tuple(sorted(set(section_ids))),
        )

    @classmethod
    def of_statistics(
        cls,
        quiz: Quiz,
        *,
        all_versions: bool,
        section_ids: Collection[int] = (),
        attempt_choice: AttemptChoice = AttemptChoice.FIRST,
    ) -> Variant:
        """Return the variant of the statistics for the requested options."""
        variant = cls.of(
            quiz,
            ReportType.STATISTICS,
            ReportFormat.JSON,
            all_versions=all_versions,
            sis_ids=False,
            section_ids=section_ids,
        )
        return replace(variant, attempt_choice=attempt_choice)

    def at(self, quiz: Quiz) -> Variant:
        """Return the variant as the quiz has it now, or raise InvalidReportTypeError."""
        require_generatable(self.report_type, quiz)
        return replace(self, anonymous=quiz.is_anonymous_survey)

    @property
    def lock_name(self) -> str:
        """The name of the advisory lock under which rows of this variant are created."""
        return ":".join(["quiz_reports", *(str(value) for value in vars(self).values())])

    @property
    def content_type(self) -> str:
        """The content type of the file."""
        return FORMATS[self.format].content_type

    def analysis_version(self, *, formula_guard: bool) -> str:
        """Return the version of the analysis that makes the file today.

        Switching the formula guard makes older files stale in the formats that it affects.
        """
        guard = "+guard" if formula_guard and FORMATS[self.format].guards_formulas else ""
        return f"{TYPES[self.report_type].version}{guard}"


def parse_report_type(name: object, quiz: Quiz) -> ReportType:
    """Parse a report type, or raise InvalidReportTypeError if it is unknown or the quiz cannot have it."""
    try:
        report_type = ReportType(str(name))
    except ValueError:
        raise InvalidReportTypeError("invalid quiz report type") from None
    if TYPES[report_type].is_internal:
        raise InvalidReportTypeError("invalid quiz report type")
    require_generatable(report_type, quiz)
    return report_type


def parse_report_format(name: object, report_type: ReportType) -> ReportFormat:
    """Parse a format, CSV if none is named; raise InvalidReportFormatError if the type does not have it."""
    formats = TYPES[report_type].formats
    if name is None:
        return formats[0]
    if (found := next((known for known in formats if known == name), None)) is None:
        known = ", ".join(formats)
        raise InvalidReportFormatError(f"invalid quiz report format: it must be one of {known}")
    return found


def parse_new_quizzes_format(name: object, report_type: ReportType) -> ReportFormat:
    """Parse the format of a New Quizzes request, or raise InvalidReportFormatError if it is not csv or json.

    The CSV of an item_analysis is Classic's, since New Quizzes' is not known.
    """
    layouts = {spec.new_quizzes_name: known for known, spec in FORMATS.items() if spec.new_quizzes_name}
    if not isinstance(name, str) or name not in layouts:
        raise InvalidReportFormatError("invalid quiz report format: it must be csv or json")
    if report_type is ReportType.ITEM_ANALYSIS and name == ReportFormat.CSV:
        return ReportFormat.CSV
    return layouts[name]


def require_generatable(report_type: ReportType, quiz: Quiz) -> None:
    """Raise InvalidReportTypeError if the quiz cannot have a report of this type."""
    if not is_generatable(report_type, quiz.quiz_type):
        raise InvalidReportTypeError(f"{report_type} can not be generated for a survey")


def is_generatable(report_type: ReportType, quiz_type: QuizType) -> bool:
    """Whether a quiz can have a report: a survey has no correct answers, so it has no item analysis."""
    return TYPES[report_type].covers_surveys or not quiz_type.is_survey


def display_name(
    title: str, quiz_type: QuizType, variant: Variant, translate: Callable[[str], str] = str
) -> str:
    """Return the display name of a report's file, in English unless its pattern is translated."""
    spec = TYPES[variant.report_type]
    pattern = translate(spec.survey_file if quiz_type.is_survey else spec.quiz_file)
    return f"{pattern.replace('{title}', title)}.{FORMATS[variant.format].ending}"


def file_name(report_type: ReportType, report_format: ReportFormat) -> str:
    """Return the name of a report's file that is the same for every quiz, in every language."""
    return f"quiz_{report_type}_report.{FORMATS[report_format].ending}"
