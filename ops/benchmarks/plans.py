"""The figure of query plans: no hot statement reads a large table from end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import text

from ops.benchmarks.everyday import Everyday
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most
from ops.benchmarks.population import Population
from ops.benchmarks.query_plans import Statement, recorded_statements, whole_reads
from ops.benchmarks.stack import BenchmarkStack, log_line
from workers.extract import queries

_SMALL = 10
# A smaller table is read as fast as its index.
_LARGE_ROWS = 5_000
_CHUNKS = 50


def measure_plans(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Count the whole reads of large tables in the work on a small quiz beside a huge one."""
    large, small = stack.population(max(stack.plan.sizes)), stack.population(_SMALL)
    log_line(f"plans of the hot statements beside a quiz of {large.attempts:,} attempts")
    everyday = Everyday(stack.settings, stack.admin_token, small)
    with recorded_statements() as statements:
        everyday.all()
    everyday.close()
    scans = list(large_scans(stack, [*statements, *_chunks(stack, large)]))
    for table, sql in scans:
        log_line(f"{table} is read from end to end by {' '.join(sql.split())[:1000]}")
    yield Outcome(
        figure="plans/sequential_scans",
        work=f"tables read from end to end in {len(statements)} hot statements, {large.attempts:,} attempts",
        unit="",
        measured=Spread([len(scans)]),
        goal=at_most(0, Comparison.ALONE),
        remark=", ".join(sorted({table for table, _ in scans})),
    )


def large_scans(stack: BenchmarkStack, statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """Yield the large tables that are read from end to end, with the statements that do so."""
    with stack.database.transaction() as session:
        large = set(
            session.scalars(
                text("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= :rows"),
                {"rows": _LARGE_ROWS},
            )
        )
    scans = whole_reads(stack.settings.database_url, statements)
    return ((table, sql) for table, sql in scans if table in large)


def _chunks(stack: BenchmarkStack, population: Population) -> Sequence[Statement]:
    """Return the statements that fetch a chunk of a huge quiz, at most a fiftieth of it."""
    most = min(stack.settings.chunk_attempts, population.attempts // _CHUNKS)
    with stack.database.transaction() as session:
        ids = list(
            session.scalars(
                text("SELECT id FROM attempts WHERE quiz_id = :quiz_id ORDER BY random() LIMIT :most"),
                {"quiz_id": population.quiz_id, "most": most},
            )
        )
    return [Statement(queries.student_attempts(ids)), Statement(queries.item_attempts(ids))]
