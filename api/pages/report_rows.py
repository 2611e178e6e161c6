"""What the page of reports shows: a group for each type, with a row for each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from api.auth import QuizAccess
from api.links import links
from api.services import services
from api.translations import READABLE_TYPES
from models.reports.requests import list_reports
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import ReportType, is_generatable

_PURPOSES: Final = {
    ReportType.STUDENT_ANALYSIS: "What each student answered to each question, and the points given.",
    ReportType.ITEM_ANALYSIS: "How difficult each question was, and how well it tells students apart.",
}


@dataclass(frozen=True)
class ReportRow:
    """A report of one variant, and the fields of the form that requests it."""

    report: QuizReport
    is_current: bool
    fields: Mapping[str, str]
    download_url: str | None

    @property
    def is_queued(self) -> bool:
        """Whether the report can still be cancelled."""
        return self.report.state is ReportState.QUEUED

    @property
    def is_live(self) -> bool:
        """Whether the report is queued or being generated."""
        return self.report.state.is_live

    @property
    def failure(self) -> str | None:
        """Why the report could not be generated, if it failed."""
        if self.report.state is not ReportState.FAILED or self.report.progress is None:
            return None
        return self.report.progress.message


@dataclass(frozen=True)
class ReportGroup:
    """The reports of one type."""

    title: str
    purpose: str
    is_generatable: bool
    rows: Sequence[ReportRow]


def report_groups(session: Session, found: QuizAccess) -> list[ReportGroup]:
    """Find the newest report of each variant; missing ones are created, as by the list of the API."""
    rows: dict[ReportType, dict[int, ReportRow]] = {kind: {} for kind in ReportType}
    for all_versions in (False, True):
        for report in list_reports(
            session,
            found.course,
            found.quiz,
            all_versions=all_versions,
            sis_ids=found.sees_sis_ids,
            analysis_version=services().analysis_version,
        ):
            rows[report.report_type][report.id] = _row(report, found)
    return [
        ReportGroup(
            READABLE_TYPES[kind],
            _PURPOSES[kind],
            is_generatable(kind, found.quiz),
            list(rows[kind].values()),
        )
        for kind in ReportType
    ]


def _row(report: QuizReport, found: QuizAccess) -> ReportRow:
    fields = {
        "quiz_report[report_type]": report.report_type.value,
        "quiz_report[includes_all_versions]": str(report.includes_all_versions).lower(),
    }
    return ReportRow(
        report,
        report.is_current(found.quiz, found.course, services().analysis_version),
        fields,
        None if report.file is None else links().download(report.file),
    )
