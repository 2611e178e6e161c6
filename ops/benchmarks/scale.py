"""The figures of scale-out: the same reports with one, two and four worker processes.

The workers share the database, the broker and the store, and no other folder. With more workers than
processors, the figures show what the processes cost and not what more machines would give.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from models.publisher import JobPublisher
from ops.benchmarks.measure import Goal, Outcome, Spread, at_least
from ops.benchmarks.population import Course, Population, students_of
from ops.benchmarks.small_reports import drain
from ops.benchmarks.stack import BenchmarkStack, log_line
from ops.local.supervisor import ChildProcess

_COURSE, _FIRST_QUIZ = 300, 3_000
# The attempts and questions of a small and of a medium quiz; one in ten is medium.
_SMALL, _MEDIUM, _ONE_IN = (30, 20), (1_000, 50), 10
_PROCESSES = (1, 2, 4)
# Of two workers: each has a processor, which it shares with PostgreSQL and the broker.
_LEAST_EFFICIENCY = 0.75


@dataclass(frozen=True)
class _Run:
    """One run: reports a second, and the seconds of CPU that the workers took for all of them."""

    rate: float
    cpu_seconds: float


def measure_scale(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure reports a second, efficiency and CPU time with one, two and four worker processes."""
    quizzes = _load(stack, 40 if stack.plan.quick else 200)
    runs: dict[int, list[_Run]] = {count: [] for count in _PROCESSES}
    for _ in range(stack.plan.runs):
        # One after the other, so that other load on the machine affects all of them alike.
        for count, done in runs.items():
            log_line(f"{len(quizzes)} reports with {count} worker processes")
            done.append(_with_workers(stack, count, quizzes))
    alone = Spread([run.rate for run in runs[1]])
    for count, done in runs.items():
        cpu = statistics.median(run.cpu_seconds for run in done)
        yield Outcome(
            figure=f"scale/{count}",
            work=f"small and medium reports (9 to 1) a second, worker processes: {count}",
            unit="/s",
            measured=Spread([run.rate for run in done]),
            reference_work=f"{count} × the rate of one",
            reference=alone.times(count),
            goal=_goal(count),
            remark=f"{cpu:.1f} s of CPU in the workers for {len(quizzes)}",
        )


def _goal(count: int) -> Goal | None:
    return at_least(_LEAST_EFFICIENCY) if count == 2 and (psutil.cpu_count() or 1) >= 2 else None


def _load(stack: BenchmarkStack, count: int) -> Sequence[int]:
    log_line(f"loading {count} quizzes, one in {_ONE_IN} of {_MEDIUM[0]} × {_MEDIUM[1]}")
    course = Course(_COURSE, students_of(_MEDIUM[0]))
    stack.loader.load_course(course)
    quizzes = range(_FIRST_QUIZ, _FIRST_QUIZ + count)
    for number, quiz_id in enumerate(quizzes):
        attempts, questions = _SMALL if number % _ONE_IN else _MEDIUM
        stack.loader.load(Population(course, quiz_id, attempts=attempts, questions=questions))
    stack.loader.settle()
    return quizzes


def _with_workers(stack: BenchmarkStack, count: int, quizzes: Sequence[int]) -> _Run:
    publisher = JobPublisher(stack.settings.redis_url)
    with contextlib.ExitStack() as running:
        workers = [running.enter_context(_worker(stack, number)) for number in range(count)]
        # Each child connects at its first report.
        drain(stack, publisher, quizzes[: 5 * count])
        before = _cpu_seconds(workers)
        seconds = drain(stack, publisher, quizzes)
        return _Run(len(quizzes) / seconds, _cpu_seconds(workers) - before)


@contextlib.contextmanager
def _worker(stack: BenchmarkStack, number: int) -> Iterator[ChildProcess]:
    """Run a worker of one slot that has its home and its temporary files for itself."""
    name = f"scale-worker-{number}"
    folder = stack.folder / name
    folder.mkdir(exist_ok=True)
    with stack.worker(name, environ={"HOME": str(folder), "TMPDIR": str(folder)}) as worker:
        yield worker


def _cpu_seconds(workers: Sequence[ChildProcess]) -> float:
    """Add up the time of the workers, of their children, and of the children that have ended."""
    return sum(
        sum(process.cpu_times()[:4]) for worker in workers for process in _family(psutil.Process(worker.pid))
    )


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]
