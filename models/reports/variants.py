"""What can be asked of a quiz: the types of report, their options, and the version of the analysis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.errors import InvalidReportTypeError
from models.lms.quizzes import Quiz

# To be raised when a file made from the same data would come out different.
ANALYSIS_VERSION: Final = 1

CONTENT_TYPE: Final = "text/csv; charset=utf-8"


class ReportType(StrEnum):
    """The two reports of a quiz."""

    STUDENT_ANALYSIS = "student_analysis"
    ITEM_ANALYSIS = "item_analysis"


@dataclass(frozen=True)
class Variant:
    """A quiz, a report type and the options that make a different file."""

    quiz_id: int
    report_type: ReportType
    includes_all_versions: bool
    includes_sis_ids: bool
    anonymous: bool

    @classmethod
    def of(cls, quiz: Quiz, report_type: ReportType, *, all_versions: bool, sis_ids: bool) -> Variant:
        """Name the variant that a caller's wishes and permission come to."""
        is_item_analysis = report_type is ReportType.ITEM_ANALYSIS
        return cls(
            quiz_id=quiz.id,
            report_type=report_type,
            includes_all_versions=is_item_analysis or all_versions,
            includes_sis_ids=sis_ids and not is_item_analysis,
            anonymous=quiz.is_anonymous_survey,
        )

    @property
    def lock_name(self) -> str:
        """The name of the advisory lock under which rows of this variant are made."""
        return (
            f"quiz_reports:{self.quiz_id}:{self.report_type}:{self.includes_all_versions:d}"
            f":{self.includes_sis_ids:d}:{self.anonymous:d}"
        )


def analysis_version(*, formula_guard: bool) -> str:
    """Name the analysis that makes today's files; switching the formula guard makes older ones stale."""
    return f"{ANALYSIS_VERSION}+guard" if formula_guard else str(ANALYSIS_VERSION)


def parse_report_type(name: object, quiz: Quiz) -> ReportType:
    """Read a report type that can be made of this quiz, or raise InvalidReportTypeError."""
    try:
        report_type = ReportType(str(name))
    except ValueError:
        raise InvalidReportTypeError("invalid quiz report type") from None
    if not is_generatable(report_type, quiz):
        raise InvalidReportTypeError("item_analysis can not be generated for a survey")
    return report_type


def is_generatable(report_type: ReportType, quiz: Quiz) -> bool:
    """Surveys have no right answers, so no item analysis can be made of them."""
    return not (report_type is ReportType.ITEM_ANALYSIS and quiz.quiz_type.is_survey)
