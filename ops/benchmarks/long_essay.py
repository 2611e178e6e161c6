"""The memory that a report takes if one attempt has an essay of five megabytes."""

from __future__ import annotations

import random
from collections.abc import Iterator

from sqlalchemy import text

from models.reports.variants import ReportType
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most
from ops.benchmarks.memory import MIB
from ops.benchmarks.population import Population
from ops.benchmarks.report_maker import report_maker
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line
from ops.benchmarks.words import sentence

_ESSAY_BYTES = 5_000_000
_MOST_MIB = 400.0

_ANY_ATTEMPT = text("SELECT min(id) FROM attempts WHERE quiz_id = :quiz_id")
_TEXTS = text("SELECT texts FROM attempts WHERE id = :id")
_REPLACE = text("UPDATE attempts SET texts = :texts, response_bytes = response_bytes + :more WHERE id = :id")


def measure_long_essay(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Put the essay into one attempt, generate the report, and restore the attempt."""
    population = stack.population(stack.plan.main_size)
    log_line(f"a report of {population.attempts:,} attempts, one with an essay of 5 MB")
    essay = sentence(random.Random("a long essay"), _ESSAY_BYTES)  # noqa: S311 - synthetic data, not a secret.
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
