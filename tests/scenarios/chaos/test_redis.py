"""Fault 6: the broker is killed, emptied, frozen, away for long while requests go on."""

from __future__ import annotations

import time

from tests.scenarios.chaos.client import statuses
from tests.scenarios.chaos.requests import (
    ask_for_some,
    ask_until,
    longest,
    requests_answered,
    same_workers,
    wait_for_files,
)
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stack import crash, frozen


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
