"""Requests that go on while something is broken, and reports that are awaited afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.scenarios.chaos.client import Answered, faulty
from tests.scenarios.chaos.run import Run

# What a client has to wait for its answer at most, whatever the broker does.
_MOST_SECONDS = 2.0


@contextmanager
def same_workers(run: Run) -> Iterator[None]:
    """Nobody may have started a worker again in between."""
    before = [worker.pid for worker in run.stack.workers]
    yield
    assert [worker.pid for worker in run.stack.workers if worker.is_running()] == before


@contextmanager
def requests_answered(run: Run) -> Iterator[list[Answered]]:
    """Gather the answers; none may be an error, and each must have come in time."""
    start = len(run.client.answered)
    answered: list[Answered] = []
    yield answered
    answered += run.client.since(start)
    assert not faulty(answered), faulty(answered)[:5]
    # Nearly all: the machine is shared, and now and then holds up a request for reasons of its own.
    late = [answer for answer in answered if answer.seconds > _MOST_SECONDS]
    assert len(late) <= len(answered) / 50, late[:5]


def longest(answers: list[Answered]) -> float:
    return max(answer.seconds for answer in answers)


def ask_for_some(run: Run, count: int) -> dict[int, int]:
    return {quiz_id: run.client.request(quiz_id) for quiz_id in run.school.add_quizzes(count)}


def ask_until(run: Run, seconds: float) -> dict[int, int]:
    """Ask for a new report twice a second."""
    asked = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        quiz_id = run.school.add_quiz()
        asked[quiz_id] = run.client.request(quiz_id)
        time.sleep(0.5)
    return asked


def wait_for_files(run: Run, asked: dict[int, int]) -> float:
    """Wait until every report asked for has its file; return how long that took."""
    began = time.monotonic()
    for quiz_id, report_id in asked.items():
        run.client.wait_for_file(quiz_id, report_id, seconds=120)
    return time.monotonic() - began


def failed(run: Run, quiz_id: int, report_id: int) -> dict[str, str] | None:
    """Return the Progress of a report that has failed, and that may not be generated instead."""
    url = run.client.show(quiz_id, report_id)["progress_url"]
    progress = run.client.ask("GET", f"/api/v1/progress/{url.rsplit('/', 1)[1]}").json()
    assert progress["workflow_state"] != "completed", "the report was generated"
    return dict(progress) if progress["workflow_state"] == "failed" else None
