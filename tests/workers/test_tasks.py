"""The task as a worker runs it: what a message names is made, then the next job is handed out."""

from __future__ import annotations

import pytest
from celery import Celery

from models.publisher import GENERATE_REPORT
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
