"""The figures of the two reports at each size: time, growth, memory, and the check of the files."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.reports.variants import PUBLIC_TYPES, ReportType
from ops.benchmarks.checking import check_reports
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most, seconds
from ops.benchmarks.memory import MIB
from ops.benchmarks.psql import copy_rows, rows_of_student_analysis
from ops.benchmarks.report_maker import GeneratedReport, ReportGenerator, report_maker
from ops.benchmarks.stack import BenchmarkStack, log_line

_SLOWEST_COPY = {ReportType.STUDENT_ANALYSIS: 2.5, ReportType.ITEM_ANALYSIS: 1.5}
_GROWTH = 1.1
_EXPONENT = 1.05
_GROWS_FROM = 10_000
_MOST_MIB = 400.0
COPY = "`psql \\copy` of the same rows out"


@dataclass(frozen=True)
class Size:
    """The measurements of one report at one size."""

    attempts: int
    seconds: Spread
    peak_mib: Spread


Growth = Mapping[ReportType, Sequence[Size]]


def measure_reports(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure both reports and `psql \\copy` at each size, with a new child process for each size."""
    growth: dict[ReportType, list[Size]] = defaultdict(list)
    for attempts in stack.plan.sizes:
        made, copies = _runs(stack, attempts)
        for report_type, reports in made.items():
            size = Size(
                attempts,
                Spread([report.seconds for report in reports]),
                Spread([report.peak_bytes / MIB for report in reports]),
            )
            growth[report_type].append(size)
            yield _against_copy(stack, report_type, size, copies)
            yield _memory(report_type, size)
    for report_type, sizes in growth.items():
        yield from _growth(report_type, sizes)


def _runs(
    stack: BenchmarkStack, attempts: int
) -> tuple[Mapping[ReportType, Sequence[GeneratedReport]], Spread]:
    """Generate each report once in each run, alternately with the reference."""
    quiz_id = stack.population(attempts).quiz_id
    made: dict[ReportType, list[GeneratedReport]] = defaultdict(list)
    copies = []
    with report_maker(stack) as maker:
        _warm(maker, quiz_id)
        for run in range(stack.plan.runs):
            log_line(f"reports of {attempts:,} attempts, run {run + 1}")
            for report_type in ReportType:
                made[report_type].append(maker.make(quiz_id, report_type))
            if run == 0 and attempts <= stack.plan.main_size:
                check_reports(
                    stack,
                    stack.population(attempts),
                    {kind: made[kind][0].file for kind in PUBLIC_TYPES},
                )
            copies.append(
                seconds(lambda: copy_rows(stack, rows_of_student_analysis(quiz_id), "to '/dev/null'"))
            )
    return made, Spread(copies)


def _warm(maker: ReportGenerator, quiz_id: int) -> None:
    """Let the child connect and the server fill its caches, which happens once."""
    maker.make(quiz_id, ReportType.ITEM_ANALYSIS)


def _against_copy(stack: BenchmarkStack, report_type: ReportType, size: Size, copies: Spread) -> Outcome:
    is_main = size.attempts == stack.plan.main_size
    return Outcome(
        figure=f"{report_type}/{size.attempts}",
        work=f"{report_type}, {size.attempts:,} × 50, snapshot to stored file",
        unit="s",
        measured=size.seconds,
        reference_work=COPY,
        reference=copies,
        goal=at_most(_SLOWEST_COPY[report_type]) if is_main and report_type in _SLOWEST_COPY else None,
        remark=f"{size.seconds.median / size.attempts * 1000:.4f} ms an attempt",
    )


def _memory(report_type: ReportType, size: Size) -> Outcome:
    return Outcome(
        figure=f"{report_type}/{size.attempts}/memory",
        work=f"{report_type}, {size.attempts:,} × 50, peak RSS of the worker's child",
        unit="MiB",
        measured=size.peak_mib,
        goal=at_most(_MOST_MIB, Comparison.ALONE),
    )


def _growth(report_type: ReportType, sizes: Sequence[Size]) -> Iterator[Outcome]:
    """Compare the largest size with ten times a tenth of it, and fit the exponent."""
    by_size = {size.attempts: size for size in sizes}
    largest = sizes[-1]
    if tenth := by_size.get(largest.attempts // 10):
        yield Outcome(
            figure=f"{report_type}/growth",
            work=f"{report_type}, {largest.attempts:,} × 50",
            unit="s",
            measured=largest.seconds,
            reference_work=f"ten times {tenth.attempts:,}",
            reference=tenth.seconds.times(10),
            goal=at_most(_GROWTH),
        )
    large = [size for size in sizes if size.attempts >= _GROWS_FROM]
    if len(large) > 1:
        yield Outcome(
            figure=f"{report_type}/exponent",
            work=f"{report_type}, exponent of time over size from {large[0].attempts:,} on",
            unit="",
            measured=Spread([exponent(large)]),
            goal=at_most(_EXPONENT, Comparison.ALONE),
        )


def exponent(sizes: Sequence[Size]) -> float:
    """Return the slope of log time over log size, by least squares; 1 is proportional growth."""
    x = [math.log(size.attempts) for size in sizes]
    y = [math.log(size.seconds.median) for size in sizes]
    return statistics.linear_regression(x, y).slope
