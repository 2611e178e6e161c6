"""Faults 1 and 2: many clients at once, and aborts that race with starts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import httpx

from tests.scenarios.chaos.client import ITEM_ANALYSIS, STUDENT_ANALYSIS, faulty, statuses
from tests.scenarios.chaos.processes import ServiceProcess
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stored import objects, objects_of_job, rows
from tests.waiting import wait_for

_CLIENTS = 100
T = TypeVar("T")


def simultaneously(count: int, action: Callable[[], T]) -> list[T]:
    barrier = threading.Barrier(count)

    def act(_: int) -> T:
        barrier.wait()
        return action()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(act, range(count)))


def test_of_a_hundred_simultaneous_requests_one_makes_a_job(run: Run) -> None:
    rounds, start = run.rounds(20, 3), len(run.client.answered)
    for number in range(rounds):
        quiz_id = run.school.add_quiz()
        kind = (STUDENT_ANALYSIS, ITEM_ANALYSIS)[number % 2]
        answers = simultaneously(_CLIENTS, lambda: run.client.post(quiz_id, kind))  # noqa: B023
        granted = [answer.json() for answer in answers if answer.status_code == 200]
        new = [report for report in granted if "file" not in report]
        assert len(new) == 1, Counter(answer.status_code for answer in answers)
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert {report["id"] for report in granted} == {new[0]["id"]}
        run.client.wait_for_file(quiz_id, new[0]["id"])
        assert rows(run, quiz_id) == 1
        assert objects(run, quiz_id) == 1
    answers_given = [a for a in run.client.since(start) if a.method == "POST"]
    assert not faulty(answers_given)
    slowest = max(answer.seconds for answer in answers_given)
    run.findings.add(
        "1. 100 simultaneous POSTs of one report",
        rounds,
        f"one new job each time, one row, one file, no 5xx ({statuses(answers_given)};"
        f" slowest {slowest:.1f} s)",
    )


def test_of_an_abort_and_a_start_exactly_one_wins(run: Run) -> None:
    rounds = run.rounds(500, 30)
    outcomes: Counter[str] = Counter()
    aborted, refused = {}, {}
    for quiz_id in run.school.add_quizzes(rounds):
        with asleep(run.stack.workers):
            report = run.client.post(quiz_id).json()
            woken = threading.Timer(run.jitter.uniform(0, 0.04), wake, [run.stack.workers])
            woken.start()
            time.sleep(run.jitter.uniform(0, 0.08))
            answer = run.client.abort(quiz_id, report["id"])
            woken.join()
        if answer.status_code == 204:
            aborted[quiz_id] = report
        else:
            assert answer.status_code == 422, answer.text
            assert answer.json()["message"] == "report generation can not be aborted"
            refused[quiz_id] = report
        outcomes[str(answer.status_code)] += 1
    for quiz_id, report in refused.items():
        run.client.wait_for_file(quiz_id, report["id"])
    wait_for(lambda: run.stack.waiting_messages() == 0)
    for quiz_id, report in aborted.items():
        left = run.client.show(quiz_id, report["id"])
        assert "file" not in left
        assert "progress_url" not in left
        assert not objects_of_job(run, int(report["progress_url"].rsplit("/", 1)[1]))
    assert run.client.ask("GET", path_of(next(iter(aborted.values()))["progress_url"])).status_code == 404
    run.findings.add(
        "2a. abort against start",
        rounds,
        f"204 × {outcomes['204']}: never a file; 422 × {outcomes['422']}: each has its file; never both",
    )


def test_an_abort_and_a_request_at_once_leave_one_job(run: Run) -> None:
    rounds = run.rounds(200, 15)
    made = []
    for quiz_id in run.school.add_quizzes(rounds):
        with asleep(run.stack.workers):
            first = run.client.post(quiz_id).json()
            assert run.client.abort(quiz_id, first["id"]).status_code == 204
            # Both messages are there when they wake, before or after the second row is queued.
            woken = threading.Timer(run.jitter.uniform(0, 0.02), wake, [run.stack.workers])
            woken.start()
            second = run.client.post(quiz_id)
            woken.join()
        assert second.status_code == 200, second.text
        assert second.json()["id"] == first["id"]
        assert second.json()["progress_url"] != first["progress_url"]
        made.append((quiz_id, first, second.json()))
    for quiz_id, first, second in made:
        run.client.wait_for_file(quiz_id, second["id"])
        assert run.client.ask("GET", path_of(first["progress_url"])).status_code == 404
        with run.school.connect() as connection:
            tries = connection.execute(
                "SELECT tries FROM quiz_reports WHERE id = %s", [second["id"]]
            ).fetchone()
        assert tries == (1,)
    run.findings.add(
        "2b. abort, then POST at once",
        rounds,
        "the same row, a new Progress, one run, one file; the old message started nothing",
    )


@contextmanager
def asleep(workers: list[ServiceProcess]) -> Iterator[None]:
    """Let workers sleep, so that it is the test's jitter that decides when one takes a job."""
    for worker in workers:
        worker.freeze()
    try:
        yield
    finally:
        wake(workers)


def wake(workers: list[ServiceProcess]) -> None:
    for worker in workers:
        worker.wake()


def path_of(url: str) -> str:
    return httpx.URL(url).raw_path.decode()
