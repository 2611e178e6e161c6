"""What the page of reports shows: a group for each type, with a row for each variant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from api.auth import QuizAccess, RequestContext
from api.services import services
from models.access.permissions import may_cancel
from models.access.tokens import Caller
from models.reports.newer_attempts import count_newer
from models.reports.requests import newest_reports
from models.reports.tables import Progress, QuizReport, ReportState
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


@dataclass(frozen=True)
class ReportRow:
    """The newest report of one variant that has a file, and the newest that has none if that is newer.

    `newer` is the number of attempts that are newer than the file, None if it is not known.
    """

    variant: Variant
    with_file: QuizReport | None
    without_file: QuizReport | None
    is_current: bool
    may_cancel: bool
    newer: int | None = None

    @property
    def format_name(self) -> str:
        """The name of the format, as a key of translations."""
        return _FORMATS[self.variant.format]

    @property
    def is_queued(self) -> bool:
        """Whether a job can still be cancelled."""
        return self.without_file is not None and self.without_file.state is ReportState.QUEUED

    @property
    def is_live(self) -> bool:
        """Whether a job is queued or running."""
        return self.without_file is not None and self.without_file.state.is_live

    @property
    def completion(self) -> float:
        """How much of the job is done, in percent."""
        return 0.0 if self._progress is None else self._progress.completion

    @property
    def failure(self) -> str | None:
        """Why the report could not be generated, if it failed."""
        if self.without_file is None or self.without_file.state is not ReportState.FAILED:
            return None
        return None if self._progress is None else self._progress.message

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of the form that requests the report."""
        return {
            "quiz_report[report_type]": self.variant.report_type.value,
            "quiz_report[format]": self.variant.format.value,
            "quiz_report[includes_all_versions]": str(self.variant.includes_all_versions).lower(),
        }

    @property
    def _progress(self) -> Progress | None:
        return None if self.without_file is None else self.without_file.progress


@dataclass(frozen=True)
class ReportGroup:
    """The reports of one type."""

    title: str
    purpose: str
    is_generatable: bool
    rows: Sequence[ReportRow]


def report_groups(context: RequestContext, found: QuizAccess) -> list[ReportGroup]:
    """Find the reports that the user may request, whether they were ever requested or not."""
    with_file: dict[Variant, QuizReport] = {}
    without_file: dict[Variant, QuizReport] = {}
    for report in newest_reports(context.session, found.quiz.id):
        (without_file if report.file is None else with_file)[report.variant] = report
    groups = [
        ReportGroup(
            TYPES[kind].readable_name,
            _PURPOSES[kind],
            is_generatable(kind, found.quiz.quiz_type),
            [
                _row(variant, context.caller, found, with_file, without_file)
                for variant in _variants(kind, found)
            ],
        )
        for kind in _PURPOSES
    ]
    return _with_newer(context.session, found, groups)


def _with_newer(session: Session, found: QuizAccess, groups: Sequence[ReportGroup]) -> list[ReportGroup]:
    """Count the newer attempts of the reports that are not current, with one statement or none."""
    stale = [row.with_file for group in groups for row in group.rows if row.with_file and not row.is_current]
    newer = count_newer(session, found.quiz, stale)
    return [
        replace(
            group,
            rows=[
                replace(row, newer=newer.get(row.with_file.id)) if row.with_file else row
                for row in group.rows
            ],
        )
        for group in groups
    ]


def _variants(kind: ReportType, found: QuizAccess) -> Iterator[Variant]:
    for all_versions in (False, True) if TYPES[kind].has_options else (True,):
        for report_format in _FORMATS:
            yield Variant.of(
                found.quiz, kind, report_format, all_versions=all_versions, sis_ids=found.sees_sis_ids
            )


def _row(
    variant: Variant,
    caller: Caller,
    found: QuizAccess,
    with_file: Mapping[Variant, QuizReport],
    without_file: Mapping[Variant, QuizReport],
) -> ReportRow:
    newest, later = with_file.get(variant), without_file.get(variant)
    if newest is not None and later is not None and later.id < newest.id:
        later = None
    formula_guard = services().settings.formula_guard
    is_current = newest is not None and newest.is_current(
        found.quiz, found.course, formula_guard=formula_guard
    )
    progress = None if later is None or later.state is not ReportState.QUEUED else later.progress
    return ReportRow(
        variant, newest, later, is_current, progress is not None and may_cancel(caller, progress)
    )
