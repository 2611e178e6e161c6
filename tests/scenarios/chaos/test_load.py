"""More load than the machine can serve, and large reports beside small ones."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.scenarios.chaos.arrivals import answers_of_few, arrivals
from tests.scenarios.chaos.client import Answered, faulty, statuses
from tests.scenarios.chaos.run import Run
from tests.school import Size
from tests.waiting import wait_for

_LARGE = Size(students=20_000, questions=40)
# Of 41 responses each: above a thousand attempts a report counts as large here.
_LARGE_RESPONSES = {"QUIZ_REPORTS_LARGE_RESPONSES": "40000"}


def test_at_twice_the_load_it_answers_and_recovers(run: Run) -> None:
    """No proxy stamps these requests, so they wait in line instead of being refused."""
    seconds = run.rounds(20, 3)
    path = reports(run.school.add_quiz())
    where = (run.stack.rotation.addresses(), path, run.stack.admin_token)
    answers_of_few(*where, clients=4, seconds=1)
    capacity = answers_of_few(*where, clients=16, seconds=seconds)
    rate = len(capacity) / seconds
    overload = arrivals(*where, a_second=2 * rate, seconds=seconds)
    after = answers_of_few(*where, clients=4, seconds=seconds)
    assert not faulty(capacity)
    assert not faulty(overload, may_be_unavailable=True), statuses(overload)
    assert not faulty(after), statuses(after)
    slowest = max(answer.seconds for answer in served(overload))
    run.findings.add(
        "load. twice what can be served",
        1,
        f"16 clients: {rate:.0f} answers a second, median {milliseconds(capacity)}; {2 * rate:.0f} a second"
        f" for {seconds} s: {statuses(overload)}, median of the 200s {milliseconds(served(overload))},"
        f" slowest {slowest:.1f} s; at once afterwards: {statuses(after)}, median {milliseconds(after)}",
        not_shown="shedding: without a proxy's X-Request-Start there is none",
    )


@pytest.mark.only_in_full("load. small reports beside a large one")
def test_a_large_report_does_not_delay_small_ones(run: Run) -> None:
    rounds = run.rounds(60, 10)
    with two_slots(run):
        large = run.school.add_quizzes(2, _LARGE)
        small = run.school.add_quizzes(rounds * 2)
        for quiz_id in small[:5]:
            time_of_one(run, quiz_id)
            run.school.make_stale(quiz_id)
        without = [time_of_one(run, quiz_id) for quiz_id in small[:rounds]]
        beside = []
        for quiz_id in small[rounds:]:
            keep_busy(run, large)
            beside.append(time_of_one(run, quiz_id))
        wait_for(lambda: not any(live_reports(run, quiz_id) for quiz_id in large), seconds=180)
    ratio = statistics.median(beside) / statistics.median(without)
    run.findings.add(
        "load. small reports beside a large one",
        rounds,
        f"POST to file, median: {statistics.median(without) * 1000:.0f} ms without,"
        f" {statistics.median(beside) * 1000:.0f} ms with a large one running: {ratio:.1f} ×",
    )
    # Were they to wait for it, it would be a hundredfold.
    assert statistics.median(beside) < 5


def keep_busy(run: Run, quizzes: list[int]) -> None:
    """See to it that one large report is being made, and another waits."""
    for quiz_id in quizzes:
        if not live_reports(run, quiz_id):
            run.school.make_stale(quiz_id)
            run.client.request(quiz_id)
    wait_for(lambda: any("running" in live_reports(run, quiz_id) for quiz_id in quizzes))


def live_reports(run: Run, quiz_id: int) -> list[str]:
    """List the states of a quiz's reports that are queued or running."""
    with run.school.connect() as connection:
        found = connection.execute(
            "SELECT state FROM quiz_reports WHERE quiz_id = %s AND state IN ('queued', 'running')", [quiz_id]
        )
        return [state for (state,) in found]


def time_of_one(run: Run, quiz_id: int) -> float:
    began = time.monotonic()
    run.client.wait_for_file(quiz_id, run.client.request(quiz_id))
    return time.monotonic() - began


@contextmanager
def two_slots(run: Run) -> Iterator[None]:
    """Run one worker of two slots, of which one takes only small reports."""
    run.stack.restart_with(_LARGE_RESPONSES)
    run.stack.kill_workers()
    worker = run.stack.start_worker("--concurrency", "2", wait=False)
    wait_for(lambda: worker.log.read_bytes().count(b" ready.") == 2)
    try:
        yield
    finally:
        run.stack.kill_workers()
        run.stack.restart_with({})


def served(answers: list[Answered]) -> list[Answered]:
    return [answer for answer in answers if answer.status == 200]


def milliseconds(answers: list[Answered]) -> str:
    return f"{statistics.median(answer.seconds for answer in answers) * 1000:.0f} ms"


def reports(quiz_id: int) -> str:
    return f"/api/v1/courses/101/quizzes/{quiz_id}/reports"
