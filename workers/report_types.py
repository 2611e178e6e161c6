"""The registry of report types: what each reads, computes and is written with.

What can be requested of a quiz is in `models.reports.variants`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import pandas as pd

from models.reports.variants import ReportFormat, ReportType
from workers.analysis.columns import Column, ColumnKind, Table
from workers.analysis.item_analysis import ItemAnalysis
from workers.analysis.student_analysis import StudentAnalysis, StudentAnalysisOptions
from workers.extract.items import QuizItems
from workers.extract.selection import Selection
from workers.extract.snapshot import Extract
from workers.formats import csv, document
from workers.statistics_report import StatisticsReport

Frames = Iterator[pd.DataFrame]


class Writer(Protocol):
    """Turns the rows of a report into the bytes of its file."""

    def __call__(self, columns: Sequence[Column], frames: Frames, *, guard_formulas: bool) -> Iterator[bytes]:
        """Yield the file in parts; the frames are those of a `Table`."""


@dataclass(frozen=True)
class ReportData:
    """What a report is computed from: the selected attempts, the items, and the attempts in chunks."""

    extract: Extract
    selection: Selection
    items: QuizItems
    chunks: Frames


@dataclass(frozen=True)
class ReportRecipe:
    """How the file of a report type is made.

    ``select`` chooses the attempts, ``fetch`` reads them in chunks, ``compute`` turns the chunks into rows,
    and a writer of ``writers``, by format, turns the rows into bytes. ``fetch`` reads each attempt up to
    ``passes`` times.
    """

    select: Callable[[Extract], Selection]
    fetch: Callable[[Extract, Selection, QuizItems], Generator[pd.DataFrame]]
    compute: Callable[[ReportData], Table]
    writers: Mapping[ReportFormat, Writer]
    passes: int = 1


def _student_analysis(data: ReportData) -> Table:
    variant = data.extract.variant
    analysis = StudentAnalysis(
        StudentAnalysisOptions(
            includes_all_versions=variant.includes_all_versions,
            includes_sis_ids=variant.includes_sis_ids,
            includes_root_accounts=data.extract.includes_root_accounts,
            anonymous=variant.anonymous,
        ),
        data.items.in_order,
        data.items.versions_by_question_set,
    )
    return Table(analysis.columns, map(analysis.rows, data.chunks))


def _statistics(data: ReportData) -> Table:
    def document_frames() -> Frames:
        report = StatisticsReport(data.extract, data.selection, data.items)
        for frame in data.chunks:
            report.add(frame)
        yield pd.DataFrame({"document": [report.document()]})

    return Table([Column("document", ColumnKind.TEXT)], document_frames())


def _item_analysis(data: ReportData) -> Table:
    analysis = ItemAnalysis(
        [item for item in data.items.in_order if item.is_choice],
        data.items.ids_by_question_set,
        data.selection.scores,
    )

    def rows() -> Frames:
        for attempts in data.chunks:
            analysis.add(attempts)
        yield analysis.rows()

    return Table(analysis.columns, rows())


_TABLE_WRITERS: Final[Mapping[ReportFormat, Writer]] = {ReportFormat.CSV: csv.write}

RECIPES: Final[Mapping[ReportType, ReportRecipe]] = {
    ReportType.STUDENT_ANALYSIS: ReportRecipe(
        Extract.select_rows, Extract.rows, _student_analysis, _TABLE_WRITERS
    ),
    ReportType.ITEM_ANALYSIS: ReportRecipe(
        Extract.select_first_attempts, Extract.choices, _item_analysis, _TABLE_WRITERS
    ),
    ReportType.STATISTICS: ReportRecipe(
        Extract.select_students,
        Extract.statistics,
        _statistics,
        {ReportFormat.JSON: document.write},
        passes=3,
    ),
}
