"""The memory that a report takes if one attempt has an essay of five megabytes, or many have long ones."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator

from sqlalchemy import text

from models.lms.quizzes import QuestionType
from models.reports.variants import ReportType
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most, interleaved
from ops.benchmarks.memory import MIB
from ops.benchmarks.population import Course, Population, students_of
from ops.benchmarks.report_maker import report_maker
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line
from ops.benchmarks.words import sentence

_ESSAY_BYTES = 5_000_000
_MOST_MIB = 400.0

_COURSE = 400
_MANY = 600
_LONG_BYTES = 500_000
_QUESTIONS = 10
_MOST_MANY_MIB = 500.0
_MOST_TIMES_RANDOM = 1.2

_ANY_ATTEMPT = text("SELECT min(id) FROM attempts WHERE quiz_id = :quiz_id")
_ALL_ATTEMPTS = text("SELECT id FROM attempts WHERE quiz_id = :quiz_id")
_SET_TEXT = text(
    "UPDATE attempts SET texts[:position] = :text, response_bytes = response_bytes + :more WHERE id = :id"
)
_TEXTS = text("SELECT texts FROM attempts WHERE id = :id")
_REPLACE = text("UPDATE attempts SET texts = :texts, response_bytes = response_bytes + :more WHERE id = :id")


def measure_long_essay(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Put the essay into one attempt, generate the report, and restore the attempt."""
    population = stack.population(stack.plan.main_size)
    log_line(f"a report of {population.attempts:,} attempts, one with an essay of 5 MB")
    essay = sentence(random.Random("a long essay"), _ESSAY_BYTES)  # noqa: S311 - synthetic data, not a secret.
    shape = f"{population.attempts:,} × {stack.plan.questions}"
    peaks = []
    for _ in range(stack.plan.runs):
        before = _replace_first_text(stack, population, essay)
        with report_maker(stack) as maker:
            made = maker.make(population.quiz_id, ReportType.STUDENT_ANALYSIS)
        if made.file.stat().st_size < _ESSAY_BYTES:
            raise BenchmarkError("the essay of 5 MB is not in the report")
        peaks.append(made.peak_bytes / MIB)
        _replace_first_text(stack, population, before)
    yield Outcome(
        figure="long_essay/memory",
        work=f"student_analysis, {shape}, one essay of 5 MB, peak RSS of the child",
        unit="MiB",
        measured=Spread(peaks),
        goal=at_most(round(_MOST_MIB + _ESSAY_BYTES / MIB), Comparison.ALONE),
    )


def measure_many_essays(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Generate a report of essays that compress well, and one of as many random texts."""
    log_line(f"reports of {_MANY} essays of {_LONG_BYTES // 1000} kB")
    course = Course(_COURSE, students_of(_MANY))
    stack.loader.load_course(course)
    dice = random.Random("many essays")  # noqa: S311 - synthetic data, not a secret.
    repeated = _load_essays(stack, course, 1, lambda: "mitochondrion " * (_LONG_BYTES // 14))
    mixed = _load_essays(
        stack, course, 2, lambda: base64.b64encode(dice.randbytes(_LONG_BYTES * 3 // 4)).decode()
    )
    measured, reference = interleaved(
        stack.plan.runs, lambda: _peak_mib(stack, repeated), lambda: _peak_mib(stack, mixed)
    )
    essays = f"{_MANY} essays of {_LONG_BYTES // 1000} kB that compress well"
    work = f"student_analysis, {essays}, peak RSS of the child"
    yield Outcome(
        figure="many_essays/memory",
        work=work,
        unit="MiB",
        measured=measured,
        goal=at_most(_MOST_MANY_MIB, Comparison.ALONE),
    )
    yield Outcome(
        figure="many_essays/compression",
        work=work,
        unit="MiB",
        measured=measured,
        reference_work="as many random texts",
        reference=reference,
        goal=at_most(_MOST_TIMES_RANDOM),
    )


def _load_essays(stack: BenchmarkStack, course: Course, number: int, essay: Callable[[], str]) -> Population:
    population = Population(course, _COURSE * 10 + number, attempts=_MANY, questions=_QUESTIONS)
    stack.loader.load(population)
    position = [item.kind for item in population.items].index(QuestionType.ESSAY)
    with stack.database.transaction() as session:
        for attempt_id in session.execute(_ALL_ATTEMPTS, {"quiz_id": population.quiz_id}).scalars().all():
            words = essay()
            # The positions of PostgreSQL's arrays begin at 1.
            values = {"id": attempt_id, "position": position + 1, "text": words, "more": len(words.encode())}
            session.execute(_SET_TEXT, values)
    return population


def _peak_mib(stack: BenchmarkStack, population: Population) -> float:
    with report_maker(stack) as maker:
        made = maker.make(population.quiz_id, ReportType.STUDENT_ANALYSIS)
    if made.file.stat().st_size < _MANY * _LONG_BYTES * 0.95:
        raise BenchmarkError("the essays are not in the report")
    return made.peak_bytes / MIB


def _replace_first_text(stack: BenchmarkStack, population: Population, words: str) -> str:
    """Replace the first text of one attempt; return the previous one."""
    with stack.database.transaction() as session:
        attempt_id = session.execute(_ANY_ATTEMPT, {"quiz_id": population.quiz_id}).scalar_one()
        texts = session.execute(_TEXTS, {"id": attempt_id}).scalar_one()
        position = next(position for position, given in enumerate(texts) if given)
        before: str = texts[position]
        replaced = [*texts[:position], words, *texts[position + 1 :]]
        more = len(words.encode()) - len(before.encode())
        session.execute(_REPLACE, {"id": attempt_id, "texts": replaced, "more": more})
    return before
