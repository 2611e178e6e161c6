"""Fault 6: the broker is killed, emptied, frozen, away for long while requests go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.scenarios.chaos.client import Answered, faulty, statuses
from tests.scenarios.chaos.conftest import Run
from tests.scenarios.chaos.stack import crash, frozen

# What a client has to wait for its answer at most, whatever the broker does.
_MOST_SECONDS = 2.0


def test_a_broker_that_is_killed_and_comes_back(run: Run) -> None:
    rounds = run.rounds(6, 1)
    with same_workers(run), requests_answered(run) as answered:
        for _ in range(rounds):
            asked = ask_for_some(run, 10)
            crash(run.stack.valkey)
            # The jitter: gaps of different lengths find workers in different states.
            with run.watch.disturbed():
                time.sleep(run.jitter.uniform(0, 3))
                run.stack.valkey.start()
            slowest = wait_for_files(run, asked)
    run.findings.add(
        "6a. broker killed and started again",
        rounds,
        f"all made, {slowest:.1f} s after its return in the last round; the same workers"
        f" ({statuses(answered)})",
    )


def test_a_broker_that_loses_everything(run: Run) -> None:
    rounds, lost = run.rounds(10, 1), 0
    with same_workers(run), requests_answered(run) as answered:
        for _ in range(rounds):
            for worker in run.stack.workers:
                worker.freeze()
            asked = ask_for_some(run, 20)
            with run.stack.broker() as client:
                lost += run.stack.waiting_messages()
                client.flushall()
            for worker in run.stack.workers:
                worker.wake()
            slowest = wait_for_files(run, asked)
    assert lost > 0
    run.findings.add(
        "6b. FLUSHALL with jobs queued",
        rounds,
        f"{lost} messages lost, all reports made, within {slowest:.1f} s in the last round; the same workers"
        f" ({statuses(answered)})",
    )


def test_a_broker_that_is_frozen(run: Run) -> None:
    seconds = run.rounds(60, 4)
    with same_workers(run), requests_answered(run) as answered:
        with run.watch.disturbed(), frozen(run.stack.valkey):
            asked = ask_until(run, seconds)
        slowest = wait_for_files(run, asked)
    posts = [answer for answer in answered if answer.method == "POST"]
    run.findings.add(
        "6c. broker frozen",
        1,
        f"for {seconds} s: {len(posts)} POSTs answered, the slowest after {longest(posts):.2f} s;"
        f" all made {slowest:.1f} s after it woke; the same workers",
    )


def test_a_broker_that_is_away_while_requests_go_on(run: Run) -> None:
    seconds = run.rounds(120, 4)
    with same_workers(run), requests_answered(run) as answered:
        crash(run.stack.valkey)
        with run.watch.disturbed():
            asked = ask_until(run, seconds)
            run.stack.valkey.start()
        slowest = wait_for_files(run, asked)
    posts = [answer for answer in answered if answer.method == "POST"]
    run.findings.add(
        "6d. broker away while POSTs go on",
        1,
        f"for {seconds} s: {len(posts)} POSTs answered, the slowest after {longest(posts):.2f} s;"
        f" all made {slowest:.1f} s after its return; the same workers",
    )


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
