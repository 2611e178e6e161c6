"""The figures of the reports of both exams at each size: time, growth, memory, and the check of the files."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.reports.variants import PUBLIC_TYPES, ReportFormat, ReportType
from ops.benchmarks.checking import check_reports
from ops.benchmarks.exam import ExamStyle
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most, seconds
from ops.benchmarks.memory import MIB
from ops.benchmarks.psql import copy_rows, rows_of_student_analysis
from ops.benchmarks.report_maker import GeneratedReport, ReportGenerator, report_maker
from ops.benchmarks.stack import QUESTIONS, BenchmarkStack, log_line

_SLOWEST_COPY = {
    (ReportType.STUDENT_ANALYSIS, ExamStyle.MIXED): 1.2,
    (ReportType.STUDENT_ANALYSIS, ExamStyle.WORDY): 1.8,
    (ReportType.ITEM_ANALYSIS, ExamStyle.MIXED): 0.34,
}
_GROWTH = {
    ReportType.STUDENT_ANALYSIS: 0.95,
    ReportType.ITEM_ANALYSIS: 1.1,
    ReportType.STATISTICS: 1.1,
}
_MOST_MORE_MIB = 25.0
# From here on chunks are as large as they get.
_LEVEL_FROM = 100_000
_EXPONENT = 1.05
_GROWS_FROM = 10_000
_MOST_MIB = 400.0
# Larger files are not compared with the plain computation, which takes minutes for them.
_MOST_CHECKED = 100_000
# The other formats are made of few attempts: a workbook has a row for each response, and takes its time.
_FORMATS_AT = 10_000
COPY = "`psql \\copy` of the same rows out"


@dataclass(frozen=True)
class Kind:
    """A report of one exam."""

    report_type: ReportType
    style: ExamStyle

    @property
    def figure(self) -> str:
        """The name of its figures."""
        return self.report_type if self.style is ExamStyle.MIXED else f"{self.report_type}/{self.style}"

    @property
    def work(self) -> str:
        """The words for its work."""
        return self.report_type if self.style is ExamStyle.MIXED else f"{self.report_type}, {self.style} exam"


@dataclass(frozen=True)
class Size:
    """The measurements of one report at one size."""

    attempts: int
    seconds: Spread
    peak_mib: Spread


def measure_reports(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure both reports and `psql \\copy` at each size, with a new child process for each size.

    The wordy exam is measured up to the size at which its goal is.
    """
    growth: dict[Kind, list[Size]] = defaultdict(list)
    for style in ExamStyle:
        for attempts in stack.plan.sizes:
            if style is ExamStyle.WORDY and attempts > _MOST_CHECKED:
                continue
            made, copies = _runs(stack, attempts, style)
            for report_type, reports in made.items():
                kind = Kind(report_type, style)
                size = Size(
                    attempts,
                    Spread([report.seconds for report in reports]),
                    Spread([report.peak_bytes / MIB for report in reports]),
                )
                growth[kind].append(size)
                yield _against_copy(stack, kind, size, copies)
                yield _memory(stack, kind, size)
    for kind, sizes in growth.items():
        yield from _growth(stack, kind, sizes)
    yield from _other_formats(stack)


def _other_formats(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Compare the time of a report in each other format with that of its CSV file, once."""
    if _FORMATS_AT not in stack.plan.sizes:
        return
    quiz_id = stack.population(_FORMATS_AT).quiz_id
    for report_format in (ReportFormat.JSON, ReportFormat.XLSX):
        # Each format has a child of its own, for its memory.
        with report_maker(stack) as maker:
            _warm(maker, quiz_id)
            for report_type in PUBLIC_TYPES:
                log_line(f"the {report_type} of {_FORMATS_AT:,} attempts as {report_format}")
                csv, made = (maker.make(quiz_id, report_type, f) for f in (ReportFormat.CSV, report_format))
                yield Outcome(
                    figure=f"{report_type}/{report_format}/{_FORMATS_AT}",
                    work=f"{report_type} as {report_format}, {_shape(stack, _FORMATS_AT)}",
                    unit="s",
                    measured=Spread([made.seconds]),
                    reference_work="the same as csv",
                    reference=Spread([csv.seconds]),
                    remark=f"{made.peak_bytes / MIB:.0f} MiB",
                )


def _shape(stack: BenchmarkStack, attempts: int) -> str:
    return f"{attempts:,} × {stack.plan.questions}"


def _runs(
    stack: BenchmarkStack, attempts: int, style: ExamStyle
) -> tuple[Mapping[ReportType, Sequence[GeneratedReport]], Spread]:
    """Generate each report once in each run, alternately with the reference."""
    population = stack.population(attempts, style)
    quiz_id = population.quiz_id
    made: dict[ReportType, list[GeneratedReport]] = defaultdict(list)
    copies = []
    with report_maker(stack) as maker:
        _warm(maker, quiz_id)
        for run in range(stack.plan.runs):
            log_line(f"reports of {attempts:,} attempts, {style} exam, run {run + 1}")
            for report_type in ReportType:
                made[report_type].append(maker.make(quiz_id, report_type))
            if run == 0 and attempts <= _MOST_CHECKED:
                check_reports(stack, population, {kind: made[kind][0].file for kind in PUBLIC_TYPES})
            copies.append(
                seconds(lambda: copy_rows(stack, rows_of_student_analysis(quiz_id), "to '/dev/null'"))
            )
    return made, Spread(copies)


def _warm(maker: ReportGenerator, quiz_id: int) -> None:
    """Let the child connect and the server fill its caches, which happens once."""
    maker.make(quiz_id, ReportType.ITEM_ANALYSIS)


def _against_copy(stack: BenchmarkStack, kind: Kind, size: Size, copies: Spread) -> Outcome:
    limit = _SLOWEST_COPY.get((kind.report_type, kind.style))
    # A row of fewer questions costs more for each.
    has_goal = size.attempts == stack.plan.main_size and stack.plan.questions == QUESTIONS
    return Outcome(
        figure=f"{kind.figure}/{size.attempts}",
        work=f"{kind.work}, {_shape(stack, size.attempts)}, snapshot to stored file",
        unit="s",
        measured=size.seconds,
        reference_work=COPY,
        reference=copies,
        goal=at_most(limit) if has_goal and limit is not None else None,
        remark=f"{size.seconds.median / size.attempts * 1000:.4f} ms an attempt",
    )


def _memory(stack: BenchmarkStack, kind: Kind, size: Size) -> Outcome:
    return Outcome(
        figure=f"{kind.figure}/{size.attempts}/memory",
        work=f"{kind.work}, {_shape(stack, size.attempts)}, peak RSS of the worker's child",
        unit="MiB",
        measured=size.peak_mib,
        goal=at_most(_MOST_MIB, Comparison.ALONE),
    )


def _growth(stack: BenchmarkStack, kind: Kind, sizes: Sequence[Size]) -> Iterator[Outcome]:
    """Compare time and memory at the largest size with those at a tenth of it, and fit the exponent."""
    by_size = {size.attempts: size for size in sizes}
    more = at_most(_MOST_MORE_MIB, Comparison.DIFFERENCE)
    largest = sizes[-1]
    if tenth := by_size.get(largest.attempts // 10):
        yield Outcome(
            figure=f"{kind.figure}/growth",
            work=f"{kind.work}, {_shape(stack, largest.attempts)}",
            unit="s",
            measured=largest.seconds,
            reference_work=f"ten times {tenth.attempts:,}",
            reference=tenth.seconds.times(10),
            goal=at_most(_GROWTH[kind.report_type]),
        )
        yield Outcome(
            figure=f"{kind.figure}/growth/memory",
            work=f"{kind.work}, {_shape(stack, largest.attempts)}, peak RSS of the worker's child",
            unit="MiB",
            measured=largest.peak_mib,
            reference_work=f"at {tenth.attempts:,}",
            reference=tenth.peak_mib,
            goal=more if tenth.attempts >= _LEVEL_FROM else None,
        )
    large = [size for size in sizes if size.attempts >= _GROWS_FROM]
    if len(large) > 1:
        yield Outcome(
            figure=f"{kind.figure}/exponent",
            work=f"{kind.work}, exponent of time over size from {large[0].attempts:,} on",
            unit="",
            measured=Spread([exponent(large)]),
            goal=at_most(_EXPONENT, Comparison.ALONE),
        )


def exponent(sizes: Sequence[Size]) -> float:
    """Return the slope of log time over log size, by least squares; 1 is proportional growth."""
    x = [math.log(size.attempts) for size in sizes]
    y = [math.log(size.seconds.median) for size in sizes]
    return statistics.linear_regression(x, y).slope
