"""Fault 7: PostgreSQL is restarted, crashes, drops connections, freezes, is full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psycopg

from tests.scenarios.chaos.client import Answered, Client, faulty, statuses
from tests.scenarios.chaos.load import listing
from tests.scenarios.chaos.requests import ask_for_some, same_workers, wait_for_files
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stack import crash, frozen
from tests.waiting import wait_for

# An answer of 503 may take as long as the client-side patience with a server that says nothing.
_MOST_SECONDS_FROZEN = 25.0
_DROP_SERVICE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usename = 'quiz_reports' AND pid <> pg_backend_pid()"
)


def test_a_database_that_is_restarted_or_crashes(run: Run) -> None:
    rounds = run.rounds(6, 2)
    with same_processes(run), listing(run) as answered:
        for number in range(rounds):
            asked = ask_for_some(run, 10)
            # A try that the restart interrupts leaves its object to the sweeper.
            run.watch.excuse_objects_of_running_jobs()
            with run.watch.disturbed(blind=True):
                if number % 2:
                    crash(run.stack.postgres)
                else:
                    run.stack.postgres.stop()
                time.sleep(run.jitter.uniform(0, 2))
                run.stack.postgres.start()
            slowest = wait_for_files(run, asked)
    answers = answered()
    assert not faulty(answers, may_be_unavailable=True), faulty(answers, may_be_unavailable=True)[:5]
    run.findings.add(
        "7a. PostgreSQL restarted, or killed",
        rounds,
        f"all made, {slowest:.1f} s after its return in the last round; no process started again"
        f" ({statuses(answers)}; each 503 with Retry-After)",
    )


def test_a_database_that_drops_its_connections(run: Run) -> None:
    rounds, dropped = run.rounds(20, 2), 0
    with same_processes(run), listing(run) as answered:
        for _ in range(rounds):
            asked = ask_for_some(run, 5)
            run.watch.excuse_objects_of_running_jobs()
            with run.stack.superuser() as connection:
                row = connection.execute(_DROP_SERVICE).fetchone()
                dropped += int(str(row[0])) if row else 0
            wait_for_files(run, asked)
    answers = answered()
    assert not faulty(answers, may_be_unavailable=True), faulty(answers, may_be_unavailable=True)[:5]
    run.findings.add(
        "7b. connections terminated",
        rounds,
        f"{dropped} connections; all made; no process started again"
        f" ({statuses(answers)}; each 503 with Retry-After)",
    )


def test_a_database_that_is_frozen(run: Run) -> None:
    seconds = run.rounds(60, 8)
    with same_processes(run):
        asked = ask_for_some(run, 5)
        run.watch.excuse_objects_of_running_jobs()
        with run.watch.disturbed(blind=True):
            with listing(run) as answered:
                wait_for(answered)
                with frozen(run.stack.postgres):
                    time.sleep(seconds)
            during = answered()
        slowest = wait_for_files(run, asked)
    assert not faulty(during, may_be_unavailable=True), faulty(during, may_be_unavailable=True)[:5]
    assert during, "no request was answered while it was frozen"
    longest = max(answer.seconds for answer in during)
    assert longest < _MOST_SECONDS_FROZEN
    run.findings.add(
        "7c. PostgreSQL frozen",
        1,
        f"for {seconds} s: {statuses(during)}, each 503 with Retry-After, the slowest after {longest:.1f} s;"
        f" all made {slowest:.1f} s after it woke; no process started again",
    )


def test_a_database_at_its_connection_limit(run: Run) -> None:
    rounds = run.rounds(5, 1)
    unavailable: list[Answered] = []
    with same_processes(run):
        for _ in range(rounds):
            asked = ask_for_some(run, 5)
            run.watch.excuse_objects_of_running_jobs()
            with run.watch.disturbed(), all_connections_taken(run):
                start = len(run.client.answered)
                wait_for(lambda: get(run.client, "/readyz").status_code == 503)
                for quiz_id, report_id in asked.items():
                    path = f"/api/v1/courses/101/quizzes/{quiz_id}/reports/{report_id}"
                    assert get(run.client, path).status_code == 503
                unavailable += run.client.since(start)
            wait_for_files(run, asked)
    assert not faulty(unavailable, may_be_unavailable=True), unavailable[:5]
    run.findings.add(
        "7d. PostgreSQL at its connection limit",
        rounds,
        f"{statuses(unavailable)}, each 503 with Retry-After; all made afterwards; no process started again",
    )


@contextmanager
def same_processes(run: Run) -> Iterator[None]:
    """No process of the service may have been started again in between."""
    others = [*run.stack.apis, *run.stack.sweepers]
    with same_workers(run):
        yield
    assert all(process.is_running() for process in others)


@contextmanager
def all_connections_taken(run: Run) -> Iterator[None]:
    """Take every connection that the service could have, and drop those that it has."""
    with ExitStack() as taken, run.stack.superuser() as owner:

        def take() -> bool:
            try:
                taken.enter_context(psycopg.connect(run.stack.postgres.url, connect_timeout=5))
            except psycopg.OperationalError:
                return True
            return False

        def service_has_none() -> bool:
            """Take what is free, and drop what the service has; it may be the first to connect again."""
            while not take():
                continue
            dropped = owner.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = 'quiz-reports'"
            ).fetchall()
            return not dropped

        wait_for(service_has_none)
        yield


def get(client: Client, path: str) -> httpx.Response:
    return client.ask("GET", path)
