"""The task as a worker runs it: what a message names is made, then the next job is handed out."""

from __future__ import annotations

import pytest
from celery import Celery

from models.publisher import GENERATE_REPORT, JobPublisher
from models.reports.tables import JobMessage, Queue
from models.settings import Settings
from workers.resources import Resources
from workers.tasks import register_tasks


def test_the_arguments_of_a_message_are_those_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[object, ...]] = []
    monkeypatch.setattr("workers.tasks.generate", lambda *arguments: called.append(arguments))
    monkeypatch.setattr("workers.tasks.hand_out_next", lambda *arguments: called.append(arguments))
    app, resources = Celery("test", set_as_current=False), Resources(Settings())
    register_tasks(app, resources)

    message = JobMessage(5, 7, Queue.SMALL, 1)
    assert app.tasks[GENERATE_REPORT](**message.arguments) is None

    assert called == [(resources, 5, 7), (resources,)]


@pytest.mark.parametrize("messages", [[], [JobMessage(6, 8, Queue.SMALL, 1)]])
def test_what_was_handed_out_with_a_file_is_sent(
    messages: list[JobMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[JobMessage] = []
    monkeypatch.setattr("workers.tasks.generate", lambda *_: messages)

    def send(_: JobPublisher, message: JobMessage) -> bool:
        sent.append(message)
        return True

    monkeypatch.setattr(JobPublisher, "send", send)
    app = Celery("test", set_as_current=False)
    register_tasks(app, Resources(Settings(redis_url="redis://127.0.0.1:1/0")))

    # If it handed out more, it would need a database.
    app.tasks[GENERATE_REPORT](5, 7)

    assert sent == messages
