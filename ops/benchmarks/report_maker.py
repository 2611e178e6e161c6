"""Generation of reports in a child process like that of a worker, without a queue, with time and memory."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy.orm import Session

from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.reports.requests import clear, request_report
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import ReportFormat, ReportType, Variant
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack

# Of the end of a log: a traceback.
_MOST_CHARACTERS = 5_000


@dataclass(frozen=True)
class GeneratedReport:
    """A generated report: its time, the peak memory of the child so far, and its file."""

    report_id: int
    seconds: float
    peak_bytes: int
    file: Path


class ReportGenerator:
    """A child process that generates reports, one after the other."""

    def __init__(self, stack: BenchmarkStack, orders: IO[str], results: IO[str], log: Path) -> None:
        self._stack = stack
        self._orders = orders
        self._results = results
        self._log = log

    def make(
        self, quiz_id: int, report_type: ReportType, report_format: ReportFormat = ReportFormat.CSV
    ) -> GeneratedReport:
        """Generate a report of all attempts with SIS ids; the file of the previous one is removed."""
        report = queue_report(self._stack, quiz_id, report_type, report_format)
        self._orders.write(f"{report.id} {report.progress_id}\n")
        self._orders.flush()
        line = self._results.readline()
        with self._stack.database.transaction() as session:
            report = session.get_one(QuizReport, report.id)
            if not line or report.state is not ReportState.GENERATED or report.file is None:
                said = self._log.read_text()[-_MOST_CHARACTERS:]
                raise BenchmarkError(
                    f"the {report_type} of quiz {quiz_id} was not generated: {report.state}\n{said}"
                )
            file = self._stack.file_of(report.file.storage_key)
        return GeneratedReport(report_id=report.id, file=file, **json.loads(line))


@contextlib.contextmanager
def report_maker(stack: BenchmarkStack) -> Iterator[ReportGenerator]:
    """Run such a child while the block lasts."""
    log = stack.folder / "logs" / "worker-child.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ops.benchmarks.worker_child"],
            env=dict(stack.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for.
        assert process.stdout is not None  # noqa: S101
        yield ReportGenerator(stack, process.stdin, process.stdout, log)
        process.stdin.close()


def queue_report(
    stack: BenchmarkStack,
    quiz_id: int,
    report_type: ReportType,
    report_format: ReportFormat = ReportFormat.CSV,
) -> QuizReport:
    """Queue a report as a POST would, without a job message; a current file is removed first.

    The statistics have one format.
    """
    with stack.database.transaction() as session:
        quiz = session.get_one(Quiz, quiz_id)
        course = session.get_one(Course, quiz.course_id)
        variant = (
            Variant.of_statistics(quiz, all_versions=True)
            if report_type is ReportType.STATISTICS
            else Variant.of(quiz, report_type, report_format, all_versions=True, sis_ids=True)
        )

        def request() -> QuizReport:
            return request_report(
                session,
                course,
                quiz,
                variant,
                user_id=1,
                formula_guard=False,
                large_responses=stack.settings.large_responses,
                course_jobs=stack.settings.course_jobs,
            ).report

        report = request()
        if report.state is ReportState.GENERATED:
            _remove_file(stack, session, report)
            report = request()
        return report


def _remove_file(stack: BenchmarkStack, session: Session, report: QuizReport) -> None:
    if report.file is not None and report.progress_id is not None:
        storage_key = report.file.storage_key
        clear(session, [report.progress_id], [report.file.id])
        stack.file_of(storage_key).unlink()
