"""Faults 3, 4, 9 and 10: workers that are killed, sleep, are told to stop, or run out of memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.scenarios.chaos.client import ITEM_ANALYSIS, STUDENT_ANALYSIS, faulty, statuses
from tests.scenarios.chaos.load import load
from tests.scenarios.chaos.processes import resident
from tests.scenarios.chaos.requests import failed
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stack import LEASE_SECONDS, SWEEP_SECONDS
from tests.scenarios.chaos.stopping_worker import STEPS, STEPS_BEFORE_THE_END
from tests.scenarios.chaos.stored import files, job, objects, objects_of_job, running, tries
from tests.school import Size
from tests.waiting import wait_for

# More than the store keeps in memory before it writes, and more than one chunk of attempts.
_IN_PARTS = Size(students=1500, questions=3, essay_characters=12_000)


def test_a_worker_that_is_killed_at_any_step_leaves_one_file(run: Run) -> None:
    rounds, slowest, left_over = run.rounds(5, 1), 0.0, 0
    for number in range(rounds):
        run.stack.kill_workers()
        stopped_at = {step: run.stack.start_worker(wait=False, stops_at=step) for step in STEPS}
        kind = (STUDENT_ANALYSIS, STUDENT_ANALYSIS, ITEM_ANALYSIS)[number % 3]
        quizzes = run.school.add_quizzes(len(STEPS), _IN_PARTS)
        asked = {quiz_id: run.client.request(quiz_id, kind) for quiz_id in quizzes}
        for worker in stopped_at.values():
            wait_for(worker.stopped_child)
        run.watch.excuse_objects_of_running_jobs()
        run.stack.kill_workers()
        began = time.monotonic()
        run.stack.start_service()
        started = time.monotonic() - began
        for quiz_id, report_id in asked.items():
            run.client.wait_for_file(quiz_id, report_id)
        slowest = max(slowest, time.monotonic() - began)
        assert slowest < LEASE_SECONDS + SWEEP_SECONDS + started + 30
        left_over += sum(tries(run, report_id) == 2 for report_id in asked.values())
        for quiz_id in quizzes:
            assert files(run, quiz_id) == 1
            assert run.client.abort(quiz_id, asked[quiz_id]).status_code == 204
    assert left_over == rounds * len(STEPS_BEFORE_THE_END)
    removed = tidy(run)
    run.findings.add(
        "3. kill -9 of the worker at each step",
        rounds * len(STEPS),
        "one file each, made by the second try unless the first had finished,"
        f" at most {slowest:.1f} s after the kill (lease {LEASE_SECONDS:.0f} s, sweep {SWEEP_SECONDS:.0f} s,"
        f" start of a new worker {started:.1f} s);"
        f" {removed} objects of killed tries were removed a day later",
    )


def test_a_worker_that_wakes_after_its_lease_changes_nothing(run: Run) -> None:
    rounds = run.rounds(3, 1)
    for step in (("object_written", "before_finish") * rounds)[: run.rounds(6, 1)]:
        run.stack.kill_workers()
        zombie = run.stack.start_worker(stops_at=step)
        quiz_id = run.school.add_quiz(_IN_PARTS)
        report_id = run.client.request(quiz_id)
        wait_for(zombie.stopped_child)
        zombie.freeze()
        run.watch.excuse_objects_of_running_jobs()
        (own_object,) = objects_of_job(run, job(run, report_id))
        run.stack.start_worker()
        file = run.client.wait_for_file(quiz_id, report_id)
        content = run.client.download(file)
        zombie.wake()
        zombie.wait_until_logged("lease_lost")
        wait_for(lambda: own_object not in run.folder.objects())  # noqa: B023
        assert objects(run, quiz_id) == 1
        after = run.client.show(quiz_id, report_id)["file"]
        assert (after["id"], after["uuid"], after["size"]) == (file["id"], file["uuid"], len(content))
        assert run.client.download(after) == content
        assert run.client.abort(quiz_id, report_id).status_code == 204
        run.stack.kill_workers()
    run.watch.excuse_no_object()
    run.findings.add(
        "4. a worker asleep beyond its lease",
        run.rounds(6, 1),
        "another finished; when it woke its finish changed nothing and its object was removed",
    )


@pytest.mark.only_in_full("9a. SIGTERM to the workers mid-job")
def test_a_worker_that_is_told_to_stop_finishes_its_job_or_it_is_done_again(run: Run) -> None:
    rounds, again, slowest = run.rounds(6, 1), 0, 0.0
    for _ in range(rounds):
        quizzes = run.school.add_quizzes(2, Size(students=6000, questions=20))
        asked = {quiz_id: run.client.request(quiz_id) for quiz_id in quizzes}
        wait_for(lambda: any(running(run, report_id) for report_id in asked.values()))  # noqa: B023
        time.sleep(run.jitter.uniform(0, 0.3))
        began = time.monotonic()
        for worker in run.stack.workers:
            worker.terminate()
        for worker in run.stack.workers:
            worker.wait_until_ended()
        slowest = max(slowest, time.monotonic() - began)
        run.stack.start_service()
        for quiz_id, report_id in asked.items():
            run.client.wait_for_file(quiz_id, report_id)
            assert tries(run, report_id) <= 2
            again += tries(run, report_id) - 1
            assert files(run, quiz_id) == 1
    run.findings.add(
        "9a. SIGTERM to the workers mid-job",
        rounds * 2,
        f"{rounds * 2 - again} finished before the worker ended, {again} done again once; one file each;"
        f" a worker ended after {slowest:.1f} s at most",
    )


def test_a_rolling_restart_under_load_fails_no_request(run: Run) -> None:
    rounds = run.rounds(2, 1)
    with load(run) as answered:
        for _ in range(rounds):
            for worker in run.stack.workers[: run.rounds(2, 1)]:
                worker.terminate()
                worker.wait_until_ended()
                run.stack.start_service()
            for api in run.stack.apis[: run.rounds(2, 1)]:
                run.stack.take_out(api)
                api.terminate()
                api.wait_until_ended()
                run.stack.start_service()
            before = len(answered())
            wait_for(lambda: len(answered()) > before + 20)  # noqa: B023
    answers = answered()
    assert not faulty(answers), faulty(answers)[:5]
    run.findings.add(
        "9b. rolling restart of the processes under load",
        rounds,
        f"{len(answers)} requests ({statuses(answers)}), none failed; every report made once",
    )


def test_a_quiz_that_kills_its_worker_fails_after_three_tries_and_harms_no_other(run: Run) -> None:
    rounds = run.rounds(3, 1)
    for _ in range(rounds):
        # A worker reads at least one attempt at a time, so a single long one takes the memory, and takes it
        # for so long that a killer on a busy machine sees it.
        poison = run.school.add_quiz(Size(students=1, questions=1, essay_characters=200_000_000))
        others = run.school.add_quizzes(20)
        with out_of_memory_killer(run, most_bytes=400 * 2**20) as killed:
            report_id = run.client.request(poison)
            asked = {quiz_id: run.client.request(quiz_id) for quiz_id in others}
            ended = wait_for(lambda: failed(run, poison, report_id))  # noqa: B023
            for quiz_id, other_id in asked.items():
                run.client.wait_for_file(quiz_id, other_id)
                assert tries(run, other_id) <= 2
        # A try whose lease ended because the machine was held up was not killed.
        assert 0 < len(killed) <= 3
        assert tries(run, report_id) == 3
        assert "stopped 3 times" in ended["message"]
        assert f"report {report_id}" in ended["message"]
    tidy(run)
    run.findings.add(
        "10. a quiz that always kills its worker",
        rounds,
        f"failed after three tries: “{ended['message']}”; {len(others)} others beside it were made",
        not_shown="the kernel's own OOM killer; the test kills a child above 400 MiB in its place",
    )


@contextmanager
def out_of_memory_killer(run: Run, *, most_bytes: int) -> Iterator[list[int]]:
    """Kill, as the kernel would, each child of a worker that holds too much memory."""
    killed: list[int] = []
    stop = threading.Event()

    def observe() -> None:
        while not stop.wait(0.02):
            for worker in run.stack.workers:
                for child in worker.children():
                    if resident(child) > most_bytes:
                        run.watch.excuse_objects_of_running_jobs()
                        kill(child)
                        killed.append(child.pid)

    thread = threading.Thread(target=observe)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def kill(process: psutil.Process) -> None:
    process.kill()
    psutil.wait_procs([process], timeout=10)


def tidy(run: Run) -> int:
    """Let a day pass for all objects and a sweeper start: afterwards each has a row. Return how many went."""
    before = set(run.folder.objects())
    run.folder.age(days=2)
    run.stack.kill_sweepers()
    run.stack.start_sweeper()
    with run.school.connect() as connection:
        known = {key for (key,) in connection.execute("SELECT storage_key FROM files")}
    wait_for(lambda: set(run.folder.objects()) <= known)
    run.watch.excuse_no_object()
    assert known <= before
    return len(before - known)
