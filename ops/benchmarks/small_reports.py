"""The figures of small reports: the time from POST to file, and the rates of one worker and of two."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import httpx
from sqlalchemy import text

from models.publisher import PUBLISH_TIMEOUTS, JobPublisher
from models.reports.variants import ReportType
from ops.benchmarks.measure import Comparison, Outcome, at_least, at_most, interleaved
from ops.benchmarks.noop_worker import FILE_VARIABLE, NAME, create_noop
from ops.benchmarks.population import Course, Population, students_of
from ops.benchmarks.report_maker import queue_report
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_contains, log_line, wait_until

_ATTEMPTS, _QUESTIONS = 30, 20
_COURSE, _FIRST_QUIZ = 100, 1_000
_NOOPS = 2_000
_PAUSE_SECONDS = 0.002


def measure_small_reports(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure a small report through API and queue, and the rate of one worker and of two."""
    quizzes = _load(stack, 40 if stack.plan.quick else 200)
    with contextlib.ExitStack() as running:
        noops = running.enter_context(Noops.worker(stack))
        running.enter_context(stack.worker())
        yield _latency(stack, running.enter_context(stack.api()).address, quizzes[:50], noops)
        yield _rate(stack, quizzes, noops)
    yield _two_workers(stack, quizzes)


def _load(stack: BenchmarkStack, count: int) -> Sequence[int]:
    log_line(f"loading {count} quizzes of {_ATTEMPTS} × {_QUESTIONS}")
    course = Course(_COURSE, students_of(_ATTEMPTS))
    stack.loader.load_course(course)
    quizzes = range(_FIRST_QUIZ, _FIRST_QUIZ + count)
    for quiz_id in quizzes:
        stack.loader.load(Population(course, quiz_id, attempts=_ATTEMPTS, questions=_QUESTIONS))
    stack.loader.settle()
    return quizzes


class Noops:
    """A Celery worker of one process that does nothing, and the publisher of its tasks."""

    def __init__(self, stack: BenchmarkStack) -> None:
        self._done = stack.folder / "noops"
        self._app = create_noop(stack.settings, broker_transport_options=dict(PUBLISH_TIMEOUTS))

    @classmethod
    @contextlib.contextmanager
    def worker(cls, stack: BenchmarkStack) -> Iterator[Noops]:
        """Run the worker while the block lasts."""
        noops = cls(stack)
        environ = {FILE_VARIABLE: str(noops._done)}
        with stack.running("noop", "ops.benchmarks.noop_worker", environ=environ) as process:
            wait_until(lambda: log_contains(process, b" ready."), process)
            noops.run(1)
            yield noops

    def run(self, count: int) -> float:
        """Send `count` tasks; return the seconds until all are done."""
        wanted = self._count() + count
        began = time.perf_counter()
        for _ in range(count):
            self._app.send_task(NAME, queue=NAME, retry=False)
        wait_until(lambda: self._count() >= wanted, pause=_PAUSE_SECONDS / 4)
        return time.perf_counter() - began

    def _count(self) -> int:
        return self._done.stat().st_size if self._done.exists() else 0


def _latency(stack: BenchmarkStack, address: str, quizzes: Sequence[int], noops: Noops) -> Outcome:
    """Request a report of each quiz, and wait for its file."""
    log_line("small reports: POST to file ready")
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
        remaining = iter([*quizzes, *reversed(quizzes)])
        _seconds_to_file(client, next(remaining))
        made, nothing = interleaved(
            len(quizzes) - 1,
            lambda: 1000 * _seconds_to_file(client, next(remaining)),
            lambda: 1000 * noops.run(1),
        )
    return Outcome(
        figure="small/latency",
        work=f"small quiz ({_ATTEMPTS} × {_QUESTIONS}): POST to file ready",
        unit="ms",
        measured=made,
        reference_work="a Celery no-op, send to done",
        reference=nothing,
        goal=at_most(20, Comparison.DIFFERENCE),
    )


def _seconds_to_file(client: httpx.Client, quiz_id: int) -> float:
    reports = f"/api/v1/courses/{_COURSE}/quizzes/{quiz_id}/reports"
    began = time.perf_counter()
    response = client.post(reports, data={"quiz_report[report_type]": "student_analysis"})
    report = response.raise_for_status().json()
    if "file" not in report:
        url = f"{reports}/{report['id']}"
        wait_until(lambda: "file" in client.get(url).raise_for_status().json(), pause=_PAUSE_SECONDS)
    return time.perf_counter() - began


def _rate(stack: BenchmarkStack, quizzes: Sequence[int], noops: Noops) -> Outcome:
    """Let one worker process drain a queue of small reports."""
    log_line("small reports a second")
    publisher = JobPublisher(stack.settings.redis_url)
    drain(stack, publisher, quizzes[:20])
    made, nothing = interleaved(
        stack.plan.runs,
        lambda: len(quizzes) / drain(stack, publisher, quizzes),
        lambda: _NOOPS / noops.run(_NOOPS),
    )
    return Outcome(
        figure="small/rate",
        work=f"small reports ({_ATTEMPTS} × {_QUESTIONS}) a second, one worker process",
        unit="/s",
        measured=made,
        reference_work="Celery no-ops, one worker process",
        reference=nothing,
        goal=at_least(1 / 4),
    )


def _two_workers(stack: BenchmarkStack, quizzes: Sequence[int]) -> Outcome:
    """Drain the same queue with one worker and with two, alternately."""
    log_line("small reports with two workers and with one")
    publisher = JobPublisher(stack.settings.redis_url)

    def with_two() -> float:
        with stack.worker("second-worker"):
            # Each child connects at its first report.
            drain(stack, publisher, quizzes[:20])
            return len(quizzes) / drain(stack, publisher, quizzes)

    def with_one() -> float:
        return len(quizzes) / drain(stack, publisher, quizzes)

    with stack.worker():
        drain(stack, publisher, quizzes[:20])
        two, one = interleaved(stack.plan.runs, with_two, with_one)
    return Outcome(
        figure="small/two_workers",
        work="small reports a second, two workers",
        unit="/s",
        measured=two,
        reference_work="one worker",
        reference=one,
        goal=at_least(1.7),
    )


def drain(stack: BenchmarkStack, publisher: JobPublisher, quizzes: Sequence[int]) -> float:
    """Queue a report of each quiz; return the seconds from the first message to the last file."""
    messages = [queue_report(stack, quiz_id, ReportType.STUDENT_ANALYSIS).message for quiz_id in quizzes]
    began = time.perf_counter()
    for message in messages:
        if not publisher.send(message):
            raise BenchmarkError("the broker did not accept a message")
    wait_until(lambda: not _live(stack), pause=0.01)
    return time.perf_counter() - began


def _live(stack: BenchmarkStack) -> bool:
    with stack.database.transaction() as session:
        live = text("SELECT EXISTS (SELECT FROM quiz_reports WHERE state IN ('queued', 'running'))")
        return bool(session.execute(live).scalar_one())
