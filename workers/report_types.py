"""The registry of report types: what each reads, computes and is written with.

What can be requested of a quiz is in `models.reports.variants`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from models.reports.variants import FORMATS, ReportFormat, ReportType, Variant
from workers.analysis import item_analysis, student_analysis
from workers.analysis.frames import Column, ColumnKind, Table
from workers.analysis.item_analysis import OPTION_COLUMNS, ItemAnalysis
from workers.analysis.new_quizzes import NewQuizzesAnalysis, NewQuizzesOptions
from workers.analysis.provenance import Provenance
from workers.analysis.statistics_tables import statistics_tables
from workers.analysis.student_analysis import StudentAnalysis, StudentAnalysisOptions
from workers.extract.items import QuizItems
from workers.extract.selection import Selection
from workers.extract.snapshot import Chunk, Extract
from workers.formats import csv, document, json, new_quizzes_json, xlsx
from workers.statistics_report import StatisticsReport

Frames = Iterator[pd.DataFrame]


@dataclass(frozen=True)
class Report:
    """What a format writes: the rows and, if it has a place for that, where they come from.

    ``provenance`` reads from the snapshot, so it is called before the first frame is read, or not at all.
    """

    table: Table
    provenance: Callable[[], Provenance]
    guard_formulas: bool


Part = bytes | Sequence[bytes]
"""A part of a file, or the pieces of it, which are joined where it is stored."""

Writer = Callable[[Report], Iterator[Part]]
"""Turns a report into the parts of its file; raises DoesNotFitError if the format cannot hold it."""


@dataclass(frozen=True)
class ReportData:
    """What a report is computed from: the selected attempts, the items, and the attempts in chunks.

    A chunk counts as done when the next one is asked for. A computation that goes over the attempts once more
    calls ``done`` every now and then, with the attempts that it has finished since: that renews the lease.
    """

    extract: Extract
    selection: Selection
    items: QuizItems
    chunks: Frames
    done: Callable[[float], None]


@dataclass(frozen=True)
class ReportRecipe:
    """How the file of a report type is made.

    ``select`` chooses the attempts, ``fetch`` reads them in chunks, ``compute`` turns the chunks into rows,
    and a writer of ``writers``, by format, turns the rows into bytes. ``conventions`` are the rules of the
    figures, in sentences; ``takes_logged_out`` says whether takers who were not logged in have rows.
    ``passes`` is how often it goes over the attempts, to read them or to compute.
    """

    select: Callable[[Extract], Selection]
    fetch: Callable[[Extract, Selection, QuizItems], Generator[Chunk]]
    compute: Callable[[ReportData], Table]
    writers: Mapping[ReportFormat, Writer]
    conventions: Sequence[str]
    takes_logged_out: bool
    passes: Callable[[QuizItems], int] = lambda _: 1

    def report(self, data: ReportData, *, formula_guard: bool) -> Report:
        """Return the report to write; its rows are computed while they are read."""
        extract = data.extract
        return Report(
            self.compute(data),
            lambda: extract.provenance(
                data.selection,
                self.conventions,
                takes_logged_out=self.takes_logged_out,
                analysis_version=extract.variant.analysis_version(formula_guard=formula_guard),
            ),
            formula_guard,
        )


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
        report = StatisticsReport(data.extract, data.selection, data.items, data.done)
        for frame in data.chunks:
            report.add(frame)
        for part in report.document():
            yield pd.DataFrame({"document": [part]})

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
        yield from analysis.row_frames()

    return Table(analysis.columns, rows())


def _item_analysis_with_statistics(data: ReportData) -> Table:
    report = StatisticsReport(data.extract, data.selection, data.items, data.done)

    def rows() -> Frames:
        for frame in data.chunks:
            report.add(frame)
        yield from report.item_analysis.row_frames()

    def options() -> Frames:
        yield from report.item_analysis.option_frames()

    tables = statistics_tables(lambda: report.statistics)
    return Table(
        report.item_analysis.columns, rows(), {"Options": Table(OPTION_COLUMNS, options()), **tables}
    )


def _csv(report: Report) -> Iterator[Part]:
    return csv.write(report.table.columns, report.table.frames, guard_formulas=report.guard_formulas)


def _json(report: Report) -> Iterator[bytes]:
    return json.write(report.table, report.provenance())


def _document(report: Report) -> Iterator[bytes]:
    return document.write(report.table.frames)


def _xlsx(report: Report) -> Iterator[bytes]:
    return xlsx.write(report.table, report.provenance())


_TABLE_WRITERS: Final[Mapping[ReportFormat, Writer]] = {
    ReportFormat.CSV: _csv,
    ReportFormat.JSON: _json,
    ReportFormat.XLSX: _xlsx,
}


def _new_quizzes(data: ReportData) -> Table:
    variant = data.extract.variant
    analysis = NewQuizzesAnalysis(
        NewQuizzesOptions(includes_sis_ids=variant.includes_sis_ids, anonymous=variant.anonymous),
        data.items.in_order,
        data.items.versions_by_question_set,
    )
    return Table(analysis.columns, map(analysis.rows, data.chunks))


def _new_quizzes_json(report: Report) -> Iterator[bytes]:
    return new_quizzes_json.write_attempts(report.table.columns, report.table.frames)


def _rows_by_name(report: Report) -> Iterator[bytes]:
    return new_quizzes_json.write_rows(report.table.columns, report.table.frames)


RECIPES: Final[Mapping[ReportType, ReportRecipe]] = {
    ReportType.STUDENT_ANALYSIS: ReportRecipe(
        select=Extract.select_rows,
        fetch=Extract.rows,
        compute=_student_analysis,
        writers=_TABLE_WRITERS,
        conventions=student_analysis.CONVENTIONS,
        takes_logged_out=True,
    ),
    ReportType.ITEM_ANALYSIS: ReportRecipe(
        select=Extract.select_first_attempts,
        fetch=Extract.choices,
        compute=_item_analysis,
        writers=_TABLE_WRITERS,
        conventions=item_analysis.CONVENTIONS,
        takes_logged_out=False,
    ),
    ReportType.STATISTICS: ReportRecipe(
        select=Extract.select_students,
        fetch=Extract.statistics,
        compute=_statistics,
        writers={ReportFormat.JSON: _document},
        conventions=(),
        takes_logged_out=False,
        # The figures of all items take about as long as a chunk of responses does to be read and counted.
        passes=lambda items: 3 if items.have_selections else 2,
    ),
}

NEW_QUIZZES: Final[Mapping[ReportType, ReportRecipe]] = {
    ReportType.STUDENT_ANALYSIS: ReportRecipe(
        select=Extract.select_rows,
        fetch=Extract.new_quizzes_rows,
        compute=_new_quizzes,
        writers={ReportFormat.NEW_QUIZZES_CSV: _csv, ReportFormat.NEW_QUIZZES_JSON: _new_quizzes_json},
        conventions=student_analysis.CONVENTIONS,
        takes_logged_out=True,
    ),
    ReportType.ITEM_ANALYSIS: replace(
        RECIPES[ReportType.ITEM_ANALYSIS], writers={ReportFormat.NEW_QUIZZES_JSON: _rows_by_name}
    ),
}
"""The reports in the layouts of New Quizzes."""

ITEM_ANALYSIS_WITH_STATISTICS: Final = replace(
    RECIPES[ReportType.ITEM_ANALYSIS],
    fetch=Extract.statistics,
    compute=_item_analysis_with_statistics,
    passes=RECIPES[ReportType.STATISTICS].passes,
)
"""The item_analysis in a format that holds several tables: the statistics stand beside its rows."""


def recipe_of(variant: Variant) -> ReportRecipe:
    """Return how the file of a variant is made."""
    if FORMATS[variant.format].new_quizzes_name is not None:
        return NEW_QUIZZES[variant.report_type]
    if variant.report_type is ReportType.ITEM_ANALYSIS and variant.format is not ReportFormat.CSV:
        return ITEM_ANALYSIS_WITH_STATISTICS
    return RECIPES[variant.report_type]
