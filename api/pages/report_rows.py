"""What the page of reports shows: a group for each type, with a row for each variant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from api.auth import QuizAccess
from api.links import links
from api.services import services
from models.reports.requests import newest_reports
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import TYPES, ReportFormat, ReportType, Variant, is_generatable

_PURPOSES: Final = {
    ReportType.STUDENT_ANALYSIS: "What each student answered to each question, and the points given.",
    ReportType.ITEM_ANALYSIS: "How difficult each question was, and how well it tells students apart.",
}
_FORMATS: Final = {
    ReportFormat.XLSX: "Excel, for people",
    ReportFormat.CSV: "CSV, as Canvas writes it",
    ReportFormat.JSON: "JSON, for programs",
}


_ByVariant = Mapping[Variant, QuizReport]


@dataclass(frozen=True)
class ReportRow:
    """The newest file of one variant, and the newest report without one if that is newer."""

    variant: Variant
    made: QuizReport | None
    unmade: QuizReport | None
    is_current: bool

    @property
    def format_name(self) -> str:
        """The name of the format, as a key of translations."""
        return _FORMATS[self.variant.format]

    @property
    def is_queued(self) -> bool:
        """Whether a job can still be cancelled."""
        return self.unmade is not None and self.unmade.state is ReportState.QUEUED

    @property
    def is_live(self) -> bool:
        """Whether a job is queued or running."""
        return self.unmade is not None and self.unmade.state.is_live

    @property
    def completion(self) -> float:
        """How much of the job is done, in percent."""
        return 0.0 if self.unmade is None or self.unmade.progress is None else self.unmade.progress.completion

    @property
    def failure(self) -> str | None:
        """Why the report could not be generated, if it failed."""
        if self.unmade is None or self.unmade.state is not ReportState.FAILED or self.unmade.progress is None:
            return None
        return self.unmade.progress.message

    @property
    def download_url(self) -> str | None:
        """Where the newest file is."""
        return None if self.made is None or self.made.file is None else links().download(self.made.file)

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of the form that requests the report."""
        return {
            "quiz_report[report_type]": self.variant.report_type.value,
            "quiz_report[format]": self.variant.format.value,
            "quiz_report[includes_all_versions]": str(self.variant.includes_all_versions).lower(),
        }


@dataclass(frozen=True)
class ReportGroup:
    """The reports of one type."""

    title: str
    purpose: str
    is_generatable: bool
    rows: Sequence[ReportRow]


def report_groups(session: Session, found: QuizAccess) -> list[ReportGroup]:
    """Find the reports that the user may request, whether they were ever requested or not."""
    made: dict[Variant, QuizReport] = {}
    unmade: dict[Variant, QuizReport] = {}
    for report in newest_reports(session, found.quiz.id):
        (unmade if report.file is None else made)[report.variant] = report
    return [
        ReportGroup(
            TYPES[kind].readable_name,
            _PURPOSES[kind],
            is_generatable(kind, found.quiz),
            [_row(variant, found, made, unmade) for variant in _variants(kind, found)],
        )
        for kind in _PURPOSES
    ]


def _variants(kind: ReportType, found: QuizAccess) -> Iterator[Variant]:
    for all_versions in (False, True) if TYPES[kind].has_options else (True,):
        for report_format in _FORMATS:
            yield Variant.of(
                found.quiz, kind, report_format, all_versions=all_versions, sis_ids=found.sees_sis_ids
            )


def _row(
    variant: Variant,
    found: QuizAccess,
    made: Mapping[Variant, QuizReport],
    unmade: Mapping[Variant, QuizReport],
) -> ReportRow:
    newest, later = made.get(variant), unmade.get(variant)
    if newest is not None and later is not None and later.id < newest.id:
        later = None
    formula_guard = services().settings.formula_guard
    is_current = newest is not None and newest.is_current(
        found.quiz, found.course, formula_guard=formula_guard
    )
    return ReportRow(variant, newest, later, is_current)
