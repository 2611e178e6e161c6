"""Fault 8: a disk that is full or read-only, an S3 that refuses, or does not say what it has done."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.plain_http import PLAIN_HTTP
from tests.s3_server import S3Server, SpoiltWay
from tests.scenarios.chaos.requests import failed
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stored import files, job, objects_of_job
from tests.school import Size
from tests.waiting import wait_for

_NOT_STORED = "The report's file could not be stored."


@pytest.mark.parametrize("fault", ["full", "read_only"])
def test_a_disk_that_takes_nothing(run: Run, fault: str) -> None:
    if not run.folder.is_mounted:
        run.findings.add(
            f"8a. disk {fault.replace('_', '-')}", 0, "not made", not_shown="mounting is not allowed"
        )
        pytest.skip("mounting is not allowed here")
    rounds = run.rounds(5, 1)
    message = ""
    for _ in range(rounds):
        earlier = run.school.add_quiz()
        file = run.client.wait_for_file(earlier, run.client.request(earlier))
        quiz_id = run.school.add_quiz(Size(students=1000, questions=2, essay_characters=1000))
        with getattr(run.folder, fault)():
            report_id = run.client.request(quiz_id)
            ended = wait_for(lambda: failed(run, quiz_id, report_id))  # noqa: B023
            message = ended["message"]
            assert message.startswith(_NOT_STORED)
            assert f"report {report_id}" in message
            assert "file" not in run.client.show(quiz_id, report_id)
            assert len(run.client.download(file)) == file["size"]
        assert not objects_of_job(run, job(run, report_id))
        assert run.client.request(quiz_id) == report_id
        made = run.client.wait_for_file(quiz_id, report_id)
        assert len(run.client.download(made)) == made["size"]
    run.findings.add(
        f"8a. disk {fault.replace('_', '-')}",
        rounds,
        f"failed: “{message}”; nothing of it was served; asked for again when there was room, it was made",
    )


def test_a_worker_that_may_not_write_large_files(run: Run) -> None:
    """The kernel refuses single writes here, also where no disk can be mounted."""
    run.stack.kill_workers()
    rounds, message = run.rounds(3, 1), ""
    worker = run.stack.start_worker()
    for child in worker.children():
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    for _ in range(rounds):
        quiz_id = run.school.add_quiz(Size(students=1000, questions=2, essay_characters=1000))
        report_id = run.client.request(quiz_id)
        message = wait_for(lambda: failed(run, quiz_id, report_id))["message"]  # noqa: B023
        assert message.startswith(_NOT_STORED)
        assert not objects_of_job(run, job(run, report_id))
    run.stack.kill_workers()
    run.findings.add(
        "8b. a file larger than the worker may write", rounds, f"failed: “{message}”; no partial file"
    )


@pytest.mark.only_in_full("8c. S3")
def test_s3_that_refuses_does_not_answer_or_is_read_slowly(run: Run) -> None:
    rounds = run.rounds(5, 1)
    with on_s3(run) as (server, way):
        answers_503_twice(run, server, way, rounds)
        answers_503_all_the_time(run, way, rounds)
        times_out_after_success(run, server, way, rounds)
        is_read_slowly(run)


def answers_503_twice(run: Run, server: S3Server, way: SpoiltWay, rounds: int) -> None:
    for _ in range(rounds):
        way.refused = 2
        done_once(run, server)
    assert way.spoilt == 2 * rounds
    run.findings.add("8c. S3 answers 503 twice", rounds, "tried again, done once, one object")


def answers_503_all_the_time(run: Run, way: SpoiltWay, rounds: int) -> None:
    message = ""
    for _ in range(rounds):
        way.refused = 10**6
        quiz_id = run.school.add_quiz()
        report_id = run.client.request(quiz_id)
        message = wait_for(lambda: failed(run, quiz_id, report_id))["message"]  # noqa: B023
        way.refused = 0
        assert message.startswith(_NOT_STORED)
        assert run.client.request(quiz_id) == report_id
        run.client.wait_for_file(quiz_id, report_id)
    run.findings.add(
        "8d. S3 answers 503 all the time", rounds, f"failed: “{message}”; asked for again later, it was made"
    )


def times_out_after_success(run: Run, server: S3Server, way: SpoiltWay, rounds: int) -> None:
    way.spoilt = 0
    for _ in range(rounds):
        way.unanswered = 1
        done_once(run, server)
    assert way.spoilt == rounds
    run.findings.add(
        "8e. S3 times out after success", rounds, "put again under the same key: done once, one object"
    )


def is_read_slowly(run: Run) -> None:
    quiz_id = run.school.add_quiz(Size(students=1500, questions=2, essay_characters=20_000))
    file = run.client.wait_for_file(quiz_id, run.client.request(quiz_id))
    received, began = 0, time.monotonic()
    path = httpx.URL(file["url"]).raw_path.decode()
    address = run.stack.rotation.addresses()[0]
    with httpx.stream("GET", f"{address}{path}", **PLAIN_HTTP, timeout=60) as answer:
        for chunk in answer.iter_bytes(2**20):
            received += len(chunk)
            # Longer in all than one request to the store may take.
            time.sleep(0.3)
    assert received == file["size"]
    seconds = time.monotonic() - began
    run.findings.add("8f. a slow download from S3", 1, f"{received:,} bytes whole after {seconds:.1f} s")


def done_once(run: Run, server: S3Server) -> None:
    quiz_id = run.school.add_quiz()
    report_id = run.client.request(quiz_id)
    file = run.client.wait_for_file(quiz_id, report_id)
    assert len(run.client.download(file)) == file["size"]
    assert files(run, quiz_id) == 1
    assert len([key for key in server.objects() if key.startswith(f"reports/{job(run, report_id)}/")]) == 1


@contextmanager
def on_s3(run: Run) -> Iterator[tuple[S3Server, SpoiltWay]]:
    """Let the whole service keep its files on S3 meanwhile; afterwards those reports are removed."""
    before = run.school.last_quiz_id
    with S3Server(run.stack.directory / "s3") as server, SpoiltWay(server.port) as way:
        run.stack.restart_with(server.environ(way.port))
        run.watch.look_also_in(server)
        try:
            yield server, way
        finally:
            # Also when the test has failed: the next ones expect every file in the folder.
            remove_reports(run, after_quiz=before)
            run.watch.look_also_in(None)
            run.stack.restart_with({})


def remove_reports(run: Run, *, after_quiz: int) -> None:
    with run.school.connect() as connection:
        found = connection.execute(
            "SELECT quiz_id, id FROM quiz_reports WHERE quiz_id > %s AND state IN ('generated', 'failed')",
            [after_quiz],
        ).fetchall()
    for quiz_id, report_id in found:
        assert run.client.abort(quiz_id, report_id).status_code == 204
