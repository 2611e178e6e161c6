"""Fault 11: submissions arrive all the time while reports are made."""

from __future__ import annotations

import threading
from contextlib import suppress

from tests.scenarios.chaos.client import Client
from tests.scenarios.chaos.run import Run
from tests.school import SMALL
from tests.waiting import wait_for


def test_no_file_claims_data_that_it_lacks(run: Run) -> None:
    quizzes, wanted = run.school.add_quizzes(3), run.rounds(200, 12)
    stop, failures = threading.Event(), list[BaseException]()
    pushed = dict.fromkeys(quizzes, 1)

    def push(quiz_id: int) -> None:
        try:
            while not stop.is_set():
                pushed[quiz_id] = run.school.submit(quiz_id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=push, args=[quiz_id]) for quiz_id in quizzes]
    for thread in threads:
        thread.start()
    try:
        checked = [check_one(run, run.client, quizzes[number % 3]) for number in range(wanted)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    for quiz_id in quizzes:
        last = check_one(run, run.client, quiz_id, at_least=pushed[quiz_id])
        assert last == pushed[quiz_id]
    run.findings.add(
        "11. submissions arrive while reports are made",
        wanted + len(quizzes),
        f"{sum(pushed.values())} submissions meanwhile; each file has just the rows of the revision that it"
        f" claims ({len(set(checked))} different ones), and those asked for last have all",
    )


def check_one(run: Run, client: Client, quiz_id: int, *, at_least: int = 0) -> int:
    """Ask for a report with all attempts and count its rows; return the revision that it was made from.

    Each submission raises the revision by one and adds one row, so the one tells the other.
    """
    while True:
        report_id = wait_for(lambda: granted(client, quiz_id))
        file = client.wait_for_file(quiz_id, report_id)
        with run.school.connect() as connection:
            row = connection.execute(
                "SELECT quiz_revision FROM quiz_reports WHERE id = %s", [report_id]
            ).fetchone()
        assert row is not None
        revision = int(row[0])
        rows = client.download(file).count(b"\n") - 1
        assert rows == SMALL.students + revision - 1, f"{rows} rows at revision {revision}"
        if revision >= at_least:
            return revision
        # This one was asked for before the last change, and is not what a request now is answered with.


def granted(client: Client, quiz_id: int) -> int | None:
    with suppress(AssertionError):
        return client.request(quiz_id, includes_all_versions=True)
    return None
