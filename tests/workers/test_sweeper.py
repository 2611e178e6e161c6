"""The sweeper: lost jobs are published again, exhausted ones fail, files that nobody needs are deleted."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import update
from sqlalchemy.sql import func, text
from structlog.testing import capture_logs

from models.publisher import JobPublisher
from models.reports.tables import File, Queue, QuizReport, ReportState
from models.settings import Settings
from tests.factories import QUIZ_ID, SURVEY_ID, Api, reports_path
from tests.waiting import wait_for
from workers.resources import Resources
from workers.sweeper import Sweeper, run

TWO_DAYS = 2 * 24 * 3600


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def sweeper_of(open_resources: Callable[[Settings], Resources]) -> Callable[[Settings], Sweeper]:
    return lambda settings: Sweeper(open_resources(settings), JobPublisher(settings.redis_url))


@pytest.fixture
def sweeper(settings: Settings, sweeper_of: Callable[[Settings], Sweeper]) -> Sweeper:
    return sweeper_of(settings)


def request(api: Api, quiz_id: int = QUIZ_ID) -> int:
    """Request a report; return its id."""
    return int(
        api.post(reports_path(quiz_id), json={"quiz_report": {"report_type": "student_analysis"}}).json["id"]
    )


def let_pass(api: Api, seconds: float) -> None:
    """Let the messages and leases of all jobs be older by some seconds."""
    interval = text(f"interval '{seconds:f} seconds'")
    with api.database.transaction() as session:
        session.execute(
            update(QuizReport).values(
                enqueued_at=QuizReport.enqueued_at - interval, lease_until=QuizReport.lease_until - interval
            )
        )


def waiting(broker: redis.Redis) -> int:
    return sum(int(broker.llen(queue.value)) for queue in Queue)


def objects(api: Api) -> list[Path]:
    folder = Path(api.settings.storage_url.removeprefix("file://"))
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.integration
def test_the_sweeper_loads_neither_pandas_nor_what_comes_with_it() -> None:
    heavy = "{'numpy', 'pandas', 'polars', 'pyarrow'}"
    program = f"import sys, workers.sweeper; print({heavy} & set(sys.modules) or 'none')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "none"


def test_a_lost_message_is_sent_again_once(api: Api, sweeper: Sweeper, broker: redis.Redis) -> None:
    request(api)
    broker.flushdb()
    sweeper.sweep()
    # The message is younger than a sweep: a worker may be about to take it.
    assert waiting(broker) == 0

    let_pass(api, 1.5 * api.settings.sweep_seconds)
    sweeper.sweep()
    sweeper.sweep()

    assert waiting(broker) == 1


def test_while_messages_wait_only_old_ones_are_sent_again(
    api: Api, sweeper: Sweeper, broker: redis.Redis
) -> None:
    request(api)
    let_pass(api, 5 * api.settings.sweep_seconds)
    sweeper.sweep()
    assert waiting(broker) == 1

    let_pass(api, 2 * api.settings.sweep_seconds)
    sweeper.sweep()
    assert waiting(broker) == 2


def test_a_batch_ends_at_the_first_message_that_the_broker_refuses(
    api: Api,
    settings: Settings,
    sweeper: Sweeper,
    open_resources: Callable[[Settings], Resources],
    broker: redis.Redis,
) -> None:
    for quiz_id in (QUIZ_ID, SURVEY_ID):
        request(api, quiz_id)
    broker.flushdb()
    let_pass(api, 2 * settings.sweep_seconds)
    absent = JobPublisher("redis://127.0.0.1:1/0")

    Sweeper(open_resources(settings), absent).sweep()

    assert waiting(broker) == 0
    # Both are due again at a later sweep.
    let_pass(api, 2 * settings.sweep_seconds)
    sweeper.sweep()
    assert waiting(broker) == 2


def test_a_job_whose_last_try_has_lost_its_lease_fails(
    api: Api, settings: Settings, sweeper_of: Callable[[Settings], Sweeper]
) -> None:
    report_id = request(api)
    api.start(report_id)
    last_try = sweeper_of(dataclasses.replace(settings, max_tries=1))
    last_try.sweep()
    assert api.report(report_id).state is ReportState.RUNNING

    let_pass(api, 61)
    last_try.sweep()

    failed = api.report(report_id)
    assert failed.state is ReportState.FAILED
    assert failed.progress is not None
    assert "stopped 1 times" in str(failed.progress.message)


@pytest.mark.parametrize(("retention_days", "stays"), [(0, True), (3, True), (1, False)])
def test_files_are_deleted_after_the_retention(
    api: Api,
    settings: Settings,
    sweeper_of: Callable[[Settings], Sweeper],
    retention_days: int,
    stays: bool,
) -> None:
    report = api.generated()
    with api.database.transaction() as session:
        session.execute(update(File).values(created_at=func.now() - text("interval '2 days'")))

    sweeper_of(dataclasses.replace(settings, retention_days=retention_days)).sweep()

    shown = api.get(f"{reports_path()}/{report['id']}").json
    assert ("file" in shown, len(objects(api))) == (stays, int(stays))


def test_only_old_objects_without_a_row_are_deleted(api: Api, sweeper: Sweeper) -> None:
    api.generated()
    [known] = objects(api)
    # One of a job that has ended, and one that may still be in the making.
    old, young = known.with_name("old"), known.with_name("young")
    for path in (old, young):
        path.write_bytes(b"x")
    for path in (known, old):
        os.utime(path, (time.time() - TWO_DAYS,) * 2)

    sweeper.tidy()

    assert objects(api) == sorted([known, young])


def test_files_are_looked_through_every_ten_minutes(api: Api, sweeper: Sweeper) -> None:
    api.generated()
    [known] = objects(api)
    sweeper.sweep()
    old = known.with_name("old")
    old.write_bytes(b"x")
    os.utime(old, (time.time() - TWO_DAYS,) * 2)

    sweeper.sweep()

    assert old.exists()


@pytest.mark.parametrize(
    ("setting", "event"),
    [
        ({"redis_url": "redis://127.0.0.1:1/0"}, "broker_failed"),
        ({"database_url": "postgresql://127.0.0.1:1/nothing"}, "database_failed"),
    ],
)
def test_a_failure_is_logged_and_the_next_sweep_tries_again(
    api: Api,
    setting: dict[str, str],
    event: str,
    open_resources: Callable[[Settings], Resources],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # They are the ones that `run` would open; only these are closed.
    monkeypatch.setattr("workers.sweeper.Resources", open_resources)
    stop = threading.Event()
    settings = dataclasses.replace(api.settings, sweep_seconds=0.01, **setting)  # type: ignore[arg-type]
    thread = threading.Thread(target=run, args=(settings, stop))
    with capture_logs() as logs:
        thread.start()
        try:
            wait_for(lambda: [log["event"] for log in logs].count(event) >= 2)
        finally:
            stop.set()
            thread.join(30)
    assert not thread.is_alive()
