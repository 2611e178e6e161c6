"""Figure of one attempt that is too long to hold comfortably: an essay of five megabytes."""

from __future__ import annotations

import random
from collections.abc import Iterator

from sqlalchemy import text

from models.reports.variants import ReportType
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most
from ops.benchmarks.memory import MIB
from ops.benchmarks.population import Population
from ops.benchmarks.report_maker import report_maker
from ops.benchmarks.stack import BenchmarkError, Stack, say
from ops.benchmarks.words import sentence

_ESSAY_BYTES = 5_000_000
_MOST_MIB = 400.0

_ANY_ATTEMPT = text("SELECT min(id) FROM attempts WHERE quiz_id = :quiz_id")
_TEXTS = text("SELECT texts FROM attempts WHERE id = :id")
_REPLACE = text("UPDATE attempts SET texts = :texts, response_bytes = response_bytes + :more WHERE id = :id")


def measure_long_essay(stack: Stack) -> Iterator[Outcome]:
    """Put the essay into one attempt, make the report, and take it out again."""
    population = stack.population(stack.plan.main_size)
    say(f"a report of {population.attempts:,} attempts, one with an essay of 5 MB")
    essay = sentence(random.Random("a long essay"), _ESSAY_BYTES)  # noqa: S311 - made-up data, not a secret.
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
        work=f"student_analysis, {population.attempts:,} × 50, one essay of 5 MB, peak RSS of the child",
        unit="MiB",
        measured=Spread(peaks),
        goal=at_most(round(_MOST_MIB + _ESSAY_BYTES / MIB), Comparison.ALONE),
    )


def _replace_first_text(stack: Stack, population: Population, words: str) -> str:
    """Give one attempt another first text; return the one it had."""
    with stack.database.transaction() as session:
        attempt_id = session.execute(_ANY_ATTEMPT, {"quiz_id": population.quiz_id}).scalar_one()
        texts = session.execute(_TEXTS, {"id": attempt_id}).scalar_one()
        path = next(path for path, given in enumerate(texts) if given)
        before: str = texts[path]
        replaced = [*texts[:path], words, *texts[path + 1 :]]
        more = len(words.encode()) - len(before.encode())
        session.execute(_REPLACE, {"id": attempt_id, "texts": replaced, "more": more})
    return before
