"""Fault 12: after many jobs neither the workers nor the broker hold more than before."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from tests.scenarios.chaos.run import Run

# A child is replaced after 200 jobs, so memory goes up and down within this.
_MOST_GROWTH = 1.3
_MOST_MORE_KEYS = 5


def test_memory_and_keys_level_off(run: Run) -> None:
    rounds, jobs = run.rounds(10, 2), run.rounds(100, 20)
    quizzes = run.school.add_quizzes(jobs)
    memory, keys = [], []
    for _ in range(rounds):
        for quiz_id in quizzes:
            run.school.make_stale(quiz_id)
        asked = {quiz_id: run.client.request(quiz_id) for quiz_id in quizzes}
        for quiz_id, report_id in asked.items():
            run.client.wait_for_file(quiz_id, report_id, seconds=180)
        memory.append(sum(worker.memory() for worker in run.stack.workers) / 2**20)
        keys.append(number_of_keys(run))
    warm = max(memory[:2])
    assert max(memory) < warm * _MOST_GROWTH, memory
    assert max(keys) <= keys[0] + _MOST_MORE_KEYS, keys
    run.findings.add(
        "12. memory and keys over many jobs",
        rounds * jobs,
        f"two workers with their children, MiB after each {jobs}: {in_a_row(memory)};"
        f" Redis keys: {in_a_row(keys)}; {connections(run)} connections to Redis at the end",
    )


def number_of_keys(run: Run) -> int:
    with run.stack.broker() as client:
        return int(str(client.dbsize()))


def connections(run: Run) -> int:
    """Count the broker's connections."""
    assert run.stack.valkey.pid is not None
    found = psutil.Process(run.stack.valkey.pid).net_connections("tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in found)


def in_a_row(figures: Iterable[float]) -> str:
    return " ".join(f"{figure:.0f}" for figure in figures)
