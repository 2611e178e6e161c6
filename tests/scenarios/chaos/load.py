"""Clients that keep asking, beside whatever a test does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from tests.scenarios.chaos.client import Answered, Client
from tests.scenarios.chaos.run import Run
from tests.school import SMALL, Size


@contextmanager
def load(run: Run, *, clients: int = 4, size: Size = SMALL) -> Iterator[Callable[[], list[Answered]]]:
    """Let clients ask for reports, wait for them, download them and make them stale, until the block ends.

    Gives a function that returns what was answered so far. When it ends, every report asked for is made.
    """
    stop = threading.Event()
    own = Client(run.stack)
    quizzes = run.school.add_quizzes(clients, size)
    failures: list[BaseException] = []

    def work(quiz_id: int) -> None:
        try:
            while not stop.is_set():
                make_one(run, own, quiz_id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[quiz_id]) for quiz_id in quizzes]
    for thread in threads:
        thread.start()
    try:
        yield lambda: own.since(0)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        own.close()
    if failures:
        raise failures[0]


def make_one(run: Run, client: Client, quiz_id: int) -> None:
    """Ask for a report until it is made, as a patient client does, and download it."""
    answer = client.post(quiz_id)
    assert answer.status_code in {200, 409}, answer.text
    if answer.status_code == 200:
        file = client.wait_for_file(quiz_id, answer.json()["id"])
        assert len(client.download(file)) == file["size"]
    run.school.make_stale(quiz_id)


def answered_or_cut_off(client: Client, method: str, path: str) -> httpx.Response | None:
    """Send a request to a service that may be away."""
    try:
        return client.ask(method, path)
    except httpx.TransportError:
        return None
