"""Clients that keep asking, beside whatever a test does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import httpx

from models.reports.variants import ReportType
from tests.scenarios.chaos.client import STUDENT_ANALYSIS, Answered, Client
from tests.scenarios.chaos.run import Run
from tests.school import SMALL, Size


@contextmanager
def load(run: Run, *, clients: int = 4, size: Size = SMALL) -> Iterator[Callable[[], list[Answered]]]:
    """Let clients ask for reports, wait for them, download them and make them stale, until the block ends.

    Gives a function that returns what was answered so far. When it ends, every report asked for is made.
    """
    quizzes = run.school.add_quizzes(clients, size)
    with repeated(run, *(partial(make_one, run, quiz_id=quiz_id) for quiz_id in quizzes)) as answered:
        yield answered


@contextmanager
def listing(run: Run, *, clients: int = 2) -> Iterator[Callable[[], list[Answered]]]:
    """Let clients list the reports of a quiz until the block ends; give what was answered so far."""
    path = f"/api/v1/courses/101/quizzes/{run.school.add_quiz()}/reports"

    def ask(client: Client) -> None:
        answered_or_cut_off(client, "GET", path)
        time.sleep(0.05)

    with repeated(run, *[ask] * clients) as answered:
        yield answered


@contextmanager
def repeated(run: Run, *works: Callable[[Client], object]) -> Iterator[Callable[[], list[Answered]]]:
    """Repeat each of these in a thread of its own until the block ends; give what was answered so far.

    Raises the first error of a thread at the end of the block.
    """
    stop, client = threading.Event(), Client(run.stack)
    failures: list[BaseException] = []

    def repeat(work: Callable[[Client], object]) -> None:
        try:
            while not stop.is_set():
                work(client)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield lambda: client.since(0)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        client.close()
    if failures:
        raise failures[0]


def make_one(run: Run, client: Client, quiz_id: int, kind: ReportType = STUDENT_ANALYSIS) -> None:
    """Ask for a report until it is made, as a patient client does, and download it."""
    answer = client.post(quiz_id, kind)
    assert answer.status_code in {200, 409}, answer.text
    if answer.status_code == 200:
        file = client.wait_for_file(quiz_id, answer.json()["id"])
        assert len(client.download(file)) == file["size"]
    run.school.make_stale(quiz_id)


def answered_or_cut_off(client: Client, method: str, path: str) -> httpx.Response | None:
    """Send a request to a service that may be away; the client counts one that gets no answer as a fault."""
    try:
        return client.ask(method, path)
    except httpx.TransportError:
        return None
