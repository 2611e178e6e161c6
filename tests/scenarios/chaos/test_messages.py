"""Faults 5 and 13: messages that are repeated, wrong or hostile; many sweepers at once."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from typing import Any, cast

import psycopg
import pytest
from celery import Celery

from models.publisher import GENERATE_REPORT
from models.reports.tables import Queue
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stored import files, job, tries
from tests.waiting import wait_for

_NOBODY = 10**15
# Such a sweeper never comes to its second sweep, and waits for a lock as long as it must: a statement may
# take half a lease.
_ONE_SWEEP = {"QUIZ_REPORTS_SWEEP_SECONDS": "3600", "QUIZ_REPORTS_LEASE_SECONDS": "3600"}


class _WouldRun:
    """Runs a command where it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self._path, "w"))


def test_repeated_and_wrong_messages_do_no_harm(run: Run) -> None:
    rounds = run.rounds(10, 2)
    publisher = Celery("test", broker=run.stack.valkey.url, set_as_current=False)
    publisher.conf.update(task_ignore_result=True, accept_content=["json", "pickle"])
    workers = [worker.pid for worker in run.stack.workers]
    trap = run.stack.directory / "unpickled"
    for _ in range(rounds):
        quiz_id = run.school.add_quiz()
        report_id = run.client.request(quiz_id)
        progress_id = job(run, report_id)
        good = {"report_id": report_id, "progress_id": progress_id}
        for _ in range(10):
            send(publisher, kwargs=good, id_=f"progress-{progress_id}-1")
        send(publisher, kwargs={"report_id": _NOBODY, "progress_id": _NOBODY})
        # Older forms: the id alone, by position, with more than there is now, under another name.
        send(publisher, args=[report_id])
        send(publisher, kwargs={"report_id": report_id})
        send(publisher, kwargs={**good, "course_id": 1})
        send(publisher, kwargs=good, name="quiz_reports.make_report")
        send(publisher, kwargs={"report_id": "one", "progress_id": None})
        send(publisher, args=[_WouldRun(str(trap))], serializer="pickle")
        run.client.wait_for_file(quiz_id, report_id)
        wait_for(lambda: run.stack.waiting_messages() == 0)
        assert tries(run, report_id) == 1
        assert files(run, quiz_id) == 1
        after = run.school.add_quiz()
        run.client.wait_for_file(after, run.client.request(after))
    assert [worker.pid for worker in run.stack.workers if worker.is_running()] == workers
    assert not trap.exists()
    run.findings.add(
        "5a. repeated, unknown, older and pickled messages",
        rounds * 17,
        "one run, one file; the others were refused, nothing was unpickled, the same workers went on",
    )


@pytest.mark.only_in_full("5b. bytes in the queue that are no message")
def test_bytes_that_are_no_message_cost_a_restart_at_most(run: Run) -> None:
    rounds = run.rounds(3, 1)
    run.stack.kill_workers()
    # Of two slots, so with a supervisor over its nodes.
    worker = run.stack.start_worker("--concurrency", "2", wait=False)
    trap = run.stack.directory / "unpickled"
    wait_for(lambda: worker.log.read_bytes().count(b" ready.") == 2)
    for _ in range(rounds):
        for message in (pickle.dumps(_WouldRun(str(trap))), b"no message at all", b'{"body": ""}'):
            send_raw(run, message)
            wait_for(lambda: run.stack.waiting_messages() == 0)
        quiz_id = run.school.add_quiz()
        run.client.wait_for_file(quiz_id, run.client.request(quiz_id))
    assert worker.is_running()
    assert not trap.exists()
    restarts = worker.log.read_bytes().count(b"is started again")
    run.stack.kill_workers()
    run.findings.add(
        "5b. bytes in the queue that are no message",
        rounds * 3,
        f"nothing was unpickled; kombu gave up {restarts} times, the supervisor started the node again,"
        " and it went on",
    )


def test_each_expired_lease_is_requeued_once_by_four_sweepers(run: Run) -> None:
    rounds, count = run.rounds(20, 2), run.rounds(25, 10)
    run.stack.kill_workers()
    run.stack.kill_sweepers()
    quizzes = run.school.add_quizzes(count)
    asked = {quiz_id: run.client.request(quiz_id) for quiz_id in quizzes}
    jobs = Counter(job(run, report_id) for report_id in asked.values())
    for _ in range(rounds):
        with run.school.connect() as connection:
            # All four come to their first statement, wait there, and begin at the same moment.
            connection.execute("LOCK TABLE quiz_reports IN EXCLUSIVE MODE")
            sweepers = [run.stack.start_sweeper(_ONE_SWEEP) for _ in range(4)]
            wait_for(lambda: waiting_for_reports(run) == 4)
            empty_queues(run)
            let_leases_expire(connection, list(asked.values()))
        for sweeper in sweepers:
            sweeper.terminate()
            assert sweeper.wait_until_ended() == 0, "a sweeper did not end after its one sweep"
            assert not sweeper.has_logged("database_failed")
        assert waiting_jobs(run) == jobs
    run.stack.start_service()
    for quiz_id, report_id in asked.items():
        run.client.wait_for_file(quiz_id, report_id)
        assert tries(run, report_id) == 2
    run.findings.add(
        "13. four sweepers at once",
        rounds * count,
        f"each of {count} expired leases, {rounds} times over, was published again",
    )


def waiting_for_reports(run: Run) -> int:
    """Count the connections that wait for a lock on the table of reports."""
    with run.stack.superuser() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'quiz_reports'::regclass"
        ).fetchone()
    assert row is not None
    return cast("int", row[0])


def send(
    publisher: Celery,
    *,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    name: str = GENERATE_REPORT,
    id_: str | None = None,
    serializer: str = "json",
) -> None:
    publisher.send_task(
        name, args=args, kwargs=kwargs, task_id=id_, queue=Queue.SMALL.value, serializer=serializer
    )


def send_raw(run: Run, message: bytes) -> None:
    with run.stack.broker() as client:
        client.lpush(Queue.SMALL.value, message)


def empty_queues(run: Run) -> None:
    with run.stack.broker() as client:
        client.delete(*(queue.value for queue in Queue))


def let_leases_expire(connection: psycopg.Connection[Any], report_ids: list[int]) -> None:
    """Make jobs look as if their first worker had fallen silent."""
    connection.execute(
        "UPDATE quiz_reports SET state = 'running', tries = 1, claim_token = gen_random_uuid(),"
        " lease_until = now() - interval '1 second', enqueued_at = now() - interval '1 day'"
        " WHERE id = ANY(%s)",
        [report_ids],
    )


def waiting_jobs(run: Run) -> Counter[int]:
    """Count the messages that wait, by the Progress that they name."""
    with run.stack.broker() as client:
        messages = [m for queue in Queue for m in client.lrange(queue.value, 0, -1)]
    return Counter(int(json.loads(m)["headers"]["id"].split("-")[1]) for m in messages)
