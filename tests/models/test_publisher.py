"""Each send of a job is a Celery task of its own, and an abort revokes the last."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import func, text, update

from models.db.session import Database
from models.publisher import JobPublisher
from models.reports import jobs
from models.reports.requests import cancel_progress
from models.reports.tables import JobMessage, Queue, QuizReport
from tests.factories import Api, reports_path
from tests.waiting import wait_for

REPORTS = reports_path()


@pytest.fixture
def publisher(redis_url: str) -> Iterator[JobPublisher]:
    publisher = JobPublisher(redis_url)
    yield publisher
    publisher.close()


def send_again(database: Database) -> JobMessage:
    with database.transaction() as session:
        session.execute(update(QuizReport).values(enqueued_at=func.now() - text("interval '1 hour'")))
    with database.transaction() as session:
        (message,) = jobs.take_unclaimed_jobs(session, Queue.SMALL, older_than_seconds=10, most=10)
    return message


def request(api: Api) -> int:
    return int(api.post(REPORTS, json={"quiz_report": {"report_type": "student_analysis"}}).json["id"])


def job(api: Api, report_id: int) -> int:
    progress_id = api.report(report_id).progress_id
    assert progress_id is not None
    return progress_id


def test_each_send_has_a_task_id_of_its_own(api: Api, publisher: JobPublisher, redis_url: str) -> None:
    progress_id = job(api, request(api))
    for _ in range(2):
        assert publisher.send(send_again(api.database))
    with redis.Redis.from_url(redis_url) as broker:
        sent = [json.loads(raw)["headers"]["id"] for raw in broker.lrange(Queue.SMALL.value, 0, -1)]
    # The queue is filled from the left.
    assert sent == [f"progress-{progress_id}-{send}" for send in (3, 2, 1)]


@pytest.mark.parametrize("path", ["abort", "cancel"])
def test_the_last_send_is_revoked(api: Api, redis_url: str, path: str) -> None:
    report_id = request(api)
    progress_id = job(api, report_id)
    send_again(api.database)
    with redis.Redis.from_url(redis_url) as broker, broker.pubsub() as listener:
        listener.psubscribe("*celery.pidbox")
        assert listener.get_message(timeout=60)
        if path == "abort":
            assert api.delete(f"{REPORTS}/{report_id}").status_code == 204
        else:
            assert api.post(f"/api/v1/progress/{progress_id}/cancel").status_code == 200
        published = listener.get_message(ignore_subscribe_messages=True, timeout=60)
    assert published is not None
    command = json.loads(base64.b64decode(json.loads(published["data"])["body"]))
    assert command["arguments"] == {"task_id": f"progress-{progress_id}-2", "terminate": False}


def test_a_send_during_a_cancellation_is_the_one_that_is_revoked(api: Api) -> None:
    """The sweeper's statement holds the row while the cancellation, which has read it, waits to change it."""
    progress_id = job(api, request(api))
    cancelled: list[JobMessage | None] = []

    def cancel() -> None:
        with api.database.transaction() as session:
            cancelled.append(cancel_progress(session, progress_id, None).message)

    with api.database.transaction() as session:
        (sent,) = jobs.take_unclaimed_jobs(session, Queue.SMALL, older_than_seconds=-1, most=10)
        thread = threading.Thread(target=cancel)
        thread.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        wait_for(lambda: session.scalar(waiting))
    thread.join()
    (message,) = cancelled
    assert message is not None
    assert (message.send, message.task_id) == (2, sent.task_id)
