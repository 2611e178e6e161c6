"""The figures of pushes: a whole exam at once, and one attempt to a small quiz and to a huge one."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import text

from models.reports.variants import ReportType
from ops.benchmarks.checking import check_reports, write_ndjson
from ops.benchmarks.measure import Outcome, Spread, at_most, interleaved, seconds
from ops.benchmarks.population import BLOCK, Course, Population, students_of
from ops.benchmarks.psql import copy_rows
from ops.benchmarks.report_maker import report_maker
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line

_COURSE, _FIRST_QUIZ = 200, 2_000
_QUESTIONS = 50
_SMALL = 10
_SINGLE_PUSHES = 100
_SLOWEST_BULK, _SLOWEST_SINGLE = 6.0, 1.2
_BLOCK_BYTES = 2**20
# `Population` makes no attempts with such numbers, so no push here updates a stored attempt.
_FIRST_NEW_ATTEMPT = 10


def measure_pushing(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure pushes through the API, and check a report of the pushed attempts."""
    with stack.api() as api:
        client = Pusher(api.address, stack.admin_token)
        yield from _bulk(stack, client)
        yield _single(stack, client)


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


def _bulk(stack: BenchmarkStack, client: Pusher) -> Iterator[Outcome]:
    """Push the attempts of a new quiz in each run, then copy the same rows in with psql."""
    size = stack.plan.main_size
    course = Course(_COURSE, students_of(size))
    stack.loader.load_course(course)
    pushes, copies, bytes_an_attempt = [], [], []
    for run in range(stack.plan.runs):
        population = Population(course, _FIRST_QUIZ + run, attempts=size, questions=_QUESTIONS)
        log_line(f"pushing {size:,} attempts, run {run + 1}")
        before = _database_bytes(stack)
        pushes.append(_push(stack, client, population))
        bytes_an_attempt.append((_database_bytes(stack) - before) / size)
        if run == 0:
            _check(stack, population)
        copies.append(_copy_in(stack, population.quiz_id))
    yield Outcome(
        figure="push/bulk",
        work=f"pushing {size:,} attempts × {_QUESTIONS} as NDJSON through the API",
        unit="s",
        measured=Spread(pushes),
        reference_work="`psql \\copy` of the derived rows in",
        reference=Spread(copies),
        goal=at_most(_SLOWEST_BULK),
    )
    yield Outcome(
        figure="push/disk",
        work=f"growth of PostgreSQL by such a push, for each attempt × {_QUESTIONS}",
        unit="bytes",
        # Later runs find the space of the rows that were removed.
        measured=Spread(bytes_an_attempt[:1]),
    )


def _database_bytes(stack: BenchmarkStack) -> int:
    """Return the size of all tables and indexes."""
    with stack.database.transaction() as session:
        return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _push(stack: BenchmarkStack, client: Pusher, population: Population) -> float:
    quiz = f"{population.course.id}/quizzes/{population.quiz_id}"
    client.put(quiz, msgspec.json.encode({"quiz": population.definition()}))
    file = stack.folder / "attempts.ndjson"
    client.disconnect()
    write_ndjson(population, file)
    with file.open("rb") as body:
        took = seconds(lambda: client.put(f"{quiz}/submissions", body, "application/x-ndjson"))
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
