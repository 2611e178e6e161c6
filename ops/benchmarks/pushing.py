"""The figures of pushes: whole exams, and one attempt to a small quiz and to a huge one."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import text

from models.reports.variants import ReportType
from ops.benchmarks.checking import check_reports, write_ndjson
from ops.benchmarks.exam import ExamStyle
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most, interleaved, seconds
from ops.benchmarks.population import BLOCK, Course, Population, students_of
from ops.benchmarks.psql import copy_rows
from ops.benchmarks.report_maker import report_maker
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line

_COURSE, _FIRST_QUIZ = 200, 2_000
_QUESTIONS = 50
_DISK_COURSE, _FIRST_DISK_QUIZ, _DISK_ATTEMPTS = 210, 2_900, 20_000
_SMALL = 10
_SINGLE_PUSHES = 100
_SLOWEST_BULK, _SLOWEST_SINGLE = 4.0, 1.2
_LINES_OF_REQUEST = 2_000
_MOST_MIB_WHILE, _MOST_MIB_AFTER, _SECONDS_AFTER = 250, 150, 3
_BLOCK_BYTES = 2**20
# `Population` makes no attempts with such numbers, so no push here updates a stored attempt.
_FIRST_NEW_ATTEMPT = 10


def measure_pushing(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure pushes through the API, and check a report of the pushed attempts."""
    # First, since later pushes find the space of rows that were removed.
    with stack.api() as api:
        yield from _disk(stack, Pusher(api.address, stack.admin_token))
    course = Course(_COURSE, students_of(stack.plan.main_size))
    stack.loader.load_course(course)
    quiz_ids = itertools.count(_FIRST_QUIZ)
    for style in ExamStyle:
        for lines in (None, _LINES_OF_REQUEST):
            yield from _exam(stack, course, quiz_ids, style, lines)
    with stack.api() as api:
        yield _single(stack, Pusher(api.address, stack.admin_token))


class Pusher:
    """A client that sends bodies unchanged, in large blocks, over a connection that stays open."""

    def __init__(self, address: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(
            urlsplit(address).netloc, timeout=1800, blocksize=_BLOCK_BYTES
        )
        self._token = token

    def put(self, path: str, body: Any, content_type: str = "application/json") -> Any:
        """Send a body, bytes or an open file, and return the JSON of the response."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        if not isinstance(body, bytes):
            headers["Content-Length"] = str(Path(body.name).stat().st_size)
        try:
            self._connection.request("PUT", f"/api/v1/courses/{path}", body=body, headers=headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchmarkError(f"PUT {path} failed: {error!r}") from error
        if response.status != http.HTTPStatus.OK:
            raise BenchmarkError(f"PUT {path} returned {response.status}: {content[:500]!r}")
        return json.loads(content)

    def disconnect(self) -> None:
        """Close the connection until the next request, since the server soon closes an idle one."""
        self._connection.close()


def _exam(
    stack: BenchmarkStack, course: Course, quiz_ids: Iterator[int], style: ExamStyle, lines: int | None
) -> Iterator[Outcome]:
    """Push the attempts of a new quiz in each run, then copy the same rows in with psql.

    The API is started for it, so its memory is that of these pushes. They go as one stream, or in requests of
    so many lines.
    """
    size = stack.plan.main_size
    way = "as one stream" if lines is None else f"in requests of {lines:,} lines"
    name = f"{style}/{'stream' if lines is None else 'requests'}"
    pushes, copies = [], []
    with stack.api() as api:
        client = Pusher(api.address, stack.admin_token)
        for run in range(stack.plan.runs):
            population = Population(course, next(quiz_ids), attempts=size, questions=_QUESTIONS, style=style)
            log_line(f"pushing {size:,} attempts, {style}, {way}, run {run + 1}")
            pushes.append(_push(stack, client, population, lines))
            if run == 0:
                _check(stack, population)
            copies.append(_copy_in(stack, population.quiz_id))
        client.disconnect()
        peak = api.peak_mib()
        time.sleep(_SECONDS_AFTER)
        after = api.mib()
    yield Outcome(
        figure=f"push/bulk/{name}",
        work=f"pushing {size:,} attempts × {_QUESTIONS}, {style} exam, {way}",
        unit="s",
        measured=Spread(pushes),
        reference_work="`psql \\copy` of the derived rows in",
        reference=Spread(copies),
        goal=at_most(_SLOWEST_BULK),
    )
    for figure, when, mib, most in (
        ("peak", "while it is pushed", peak, _MOST_MIB_WHILE),
        ("after", f"{_SECONDS_AFTER} s after the last push", after, _MOST_MIB_AFTER),
    ):
        yield Outcome(
            figure=f"push/memory/{name}/{figure}",
            work=f"RSS of the largest API process, {style} exam, {way}, {when}",
            unit="MiB",
            measured=Spread([mib]),
            goal=at_most(most, Comparison.ALONE),
        )


def _disk(stack: BenchmarkStack, client: Pusher) -> Iterator[Outcome]:
    """Push both exams, and measure what PostgreSQL, its log and the report take on disk."""
    size = min(_DISK_ATTEMPTS, stack.plan.main_size)
    course = Course(_DISK_COURSE, students_of(size))
    stack.loader.load_course(course)
    for number, style in enumerate(ExamStyle):
        quiz_id = _FIRST_DISK_QUIZ + number
        population = Population(course, quiz_id, attempts=size, questions=_QUESTIONS, style=style)
        log_line(f"pushing {size:,} attempts, {style}, to see how the disk fills")
        before = _written_bytes(stack)
        _push(stack, client, population)
        tables, log = (after - bytes_ for after, bytes_ in zip(_written_bytes(stack), before, strict=True))
        with report_maker(stack) as maker:
            file = maker.make(quiz_id, ReportType.STUDENT_ANALYSIS).file.stat().st_size
        for name, what, written in (
            ("tables", "tables and indexes", tables),
            ("log", "PostgreSQL's log (WAL)", log),
            ("file", "student_analysis", file),
        ):
            yield Outcome(
                figure=f"push/disk/{name}/{style}",
                work=f"{what} on disk for each attempt × {_QUESTIONS}, {style} exam",
                unit="bytes",
                measured=Spread([written / size]),
            )


def _written_bytes(stack: BenchmarkStack) -> tuple[int, int]:
    """Return the size of all tables and indexes, and the bytes that were ever written to the log."""
    with stack.database.transaction() as session:
        sizes = session.execute(
            text("""
                SELECT pg_database_size(current_database()),
                    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
            """)
        )
        tables, log = sizes.one()
    return int(tables), int(log)


def _push(stack: BenchmarkStack, client: Pusher, population: Population, lines: int | None = None) -> float:
    quiz = f"{population.course.id}/quizzes/{population.quiz_id}"
    client.put(quiz, msgspec.json.encode({"quiz": population.definition()}))
    file = stack.folder / "attempts.ndjson"
    client.disconnect()
    write_ndjson(population, file)
    with file.open("rb") as body:
        parts = [body] if lines is None else iter(lambda: b"".join(itertools.islice(body, lines)), b"")
        took = seconds(
            lambda: [client.put(f"{quiz}/submissions", part, "application/x-ndjson") for part in parts]
        )
    client.disconnect()
    file.unlink()
    return took


def _check(stack: BenchmarkStack, population: Population) -> None:
    """Compare the report of the pushed attempts row by row."""
    with report_maker(stack) as maker:
        made = maker.make(population.quiz_id, ReportType.STUDENT_ANALYSIS)
        check_reports(stack, population, {ReportType.STUDENT_ANALYSIS: made.file})


def _copy_in(stack: BenchmarkStack, quiz_id: int) -> float:
    """Move the rows of a quiz to a file, and measure how long psql takes to copy them in again."""
    file = stack.folder / "attempts.copy"
    copy_rows(stack, f"(SELECT * FROM attempts WHERE quiz_id = {quiz_id:d})", f"to '{file}'")  # noqa: S608
    _remove(stack, quiz_id)
    took = seconds(lambda: copy_rows(stack, "attempts", f"from '{file}'"))
    _remove(stack, quiz_id)
    file.unlink()
    return took


def _remove(stack: BenchmarkStack, quiz_id: int) -> None:
    with stack.database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("DELETE FROM attempts WHERE quiz_id = :quiz_id"), {"quiz_id": quiz_id})
    stack.loader.settle()


def _single(stack: BenchmarkStack, client: Pusher) -> Outcome:
    """Push single new attempts, alternately to the largest quiz and to one of ten attempts."""
    small, large = stack.population(_SMALL), stack.population(max(stack.plan.sizes))
    numbers = itertools.count(_FIRST_NEW_ATTEMPT)
    log_line(f"pushing single attempts to a quiz of {large.attempts:,} and to one of {small.attempts}")

    def push(population: Population, number: int) -> float:
        block = population.block(population.attempts // 2 // BLOCK * BLOCK)
        attempt = {**population.pushed(block, number % len(block.number)), "attempt": number}
        path = f"{population.course.id}/quizzes/{population.quiz_id}/submissions"
        body = msgspec.json.encode({"quiz_submissions": [attempt]})
        return 1000 * seconds(lambda: client.put(path, body))

    for population in (small, large):
        push(population, next(numbers))
    to_large, to_small = interleaved(
        _SINGLE_PUSHES, lambda: push(large, next(numbers)), lambda: push(small, next(numbers))
    )
    return Outcome(
        figure="push/single",
        work=f"pushing one attempt to a quiz of {large.attempts:,}",
        unit="ms",
        measured=to_large,
        reference_work=f"to a quiz of {small.attempts}",
        reference=to_small,
        goal=at_most(_SLOWEST_SINGLE),
    )
