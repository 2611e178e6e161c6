"""What can be requested of a quiz: the types of report, their options, and the version of the analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from models.errors import InvalidReportTypeError
from models.lms.quizzes import Quiz

# Raise it with every change that makes a different file from the same data.
ANALYSIS_VERSION: Final = 2

CONTENT_TYPE: Final = "text/csv; charset=utf-8"


class ReportType(StrEnum):
    """The two reports of a quiz."""

    STUDENT_ANALYSIS = "student_analysis"
    ITEM_ANALYSIS = "item_analysis"


@dataclass(frozen=True)
class Variant:
    """A quiz, a report type and the options that change the file."""

    quiz_id: int
    report_type: ReportType
    includes_all_versions: bool
    includes_sis_ids: bool
    anonymous: bool

    @classmethod
    def of(cls, quiz: Quiz, report_type: ReportType, *, all_versions: bool, sis_ids: bool) -> Variant:
        """Return the variant for the requested options, as far as they apply to the type."""
        is_item_analysis = report_type is ReportType.ITEM_ANALYSIS
        return cls(
            quiz_id=quiz.id,
            report_type=report_type,
            includes_all_versions=is_item_analysis or all_versions,
            includes_sis_ids=sis_ids and not is_item_analysis,
            anonymous=quiz.is_anonymous_survey,
        )

    def at(self, quiz: Quiz) -> Variant:
        """Return the variant as the quiz has it now, or raise InvalidReportTypeError."""
        require_generatable(self.report_type, quiz)
        return replace(self, anonymous=quiz.is_anonymous_survey)

    @property
    def lock_name(self) -> str:
        """The name of the advisory lock under which rows of this variant are created."""
        return (
            f"quiz_reports:{self.quiz_id}:{self.report_type}:{self.includes_all_versions:d}"
            f":{self.includes_sis_ids:d}:{self.anonymous:d}"
        )


def analysis_version(*, formula_guard: bool) -> str:
    """Return the present version of the analysis; switching the formula guard makes older files stale."""
    return f"{ANALYSIS_VERSION}+guard" if formula_guard else str(ANALYSIS_VERSION)


def parse_report_type(name: object, quiz: Quiz) -> ReportType:
    """Parse a report type, or raise InvalidReportTypeError if it is unknown or the quiz cannot have it."""
    try:
        report_type = ReportType(str(name))
    except ValueError:
        raise InvalidReportTypeError("invalid quiz report type") from None
    require_generatable(report_type, quiz)
    return report_type


def require_generatable(report_type: ReportType, quiz: Quiz) -> None:
    """Raise InvalidReportTypeError if the quiz cannot have a report of this type."""
    if not is_generatable(report_type, quiz):
        raise InvalidReportTypeError("item_analysis can not be generated for a survey")


def is_generatable(report_type: ReportType, quiz: Quiz) -> bool:
    """Whether a quiz can have a report: a survey has no correct answers, so it has no item analysis."""
    return not (report_type is ReportType.ITEM_ANALYSIS and quiz.quiz_type.is_survey)
