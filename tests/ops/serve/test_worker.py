"""A worker of several slots keeps one of them for small reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest
from celery import Celery
from kombu.asynchronous.timer import Timer

from models.reports.tables import ReportState
from models.settings import Settings
from ops.local.ports import free_port
from ops.serve.worker_node import STOP_SECONDS, replace_ended_children
from tests.factories import Api, reports_path
from tests.waiting import still_running, wait_for


@contextmanager
def worker(settings: Settings, *options: str, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ops.cli", "worker", *options],
            env={
                "DATABASE_URL": settings.database_url,
                "REDIS_URL": settings.redis_url,
                "STORAGE_URL": settings.storage_url,
            },
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def asking(module_settings: Settings) -> Iterator[Celery]:
    app = Celery("test", broker=module_settings.redis_url, set_as_current=False)
    yield app
    app.close()


def queues_by_slots(app: Celery, nodes: int) -> dict[int, set[str]]:
    def ask() -> dict[int, set[str]] | None:
        # It returns as soon as so many nodes have replied.
        inspect: Any = app.control.inspect(timeout=10, limit=nodes)
        queues, stats = inspect.active_queues() or {}, inspect.stats() or {}
        if len(queues) < nodes or len(stats) < nodes:
            return None
        return {
            stats[node]["pool"]["max-concurrency"]: {queue["name"] for queue in queues[node]}
            for node in queues
        }

    return wait_for(ask)


@pytest.mark.contract(
    "9 Commands", "a worker with one slot takes both queues; from two on one takes only small"
)
def test_of_three_slots_one_takes_only_small_reports_also_after_a_node_has_died(
    module_settings: Settings, asking: Celery, tmp_path: Path
) -> None:
    expected = {1: {"small"}, 2: {"small", "large"}}
    options = ("--concurrency", "3", "--heartbeat-file", str(tmp_path / "alive"))
    with worker(module_settings, *options) as process:
        assert queues_by_slots(asking, nodes=2) == expected
        assert {path.name for path in tmp_path.glob("alive*")} == {"alive-small", "alive-small-large"}

        first, _ = psutil.Process(process.pid).children()
        first.kill()
        wait_for(lambda: not still_running([first]))
        assert queues_by_slots(asking, nodes=2) == expected

        parts = psutil.Process(process.pid).children(recursive=True)
    assert process.returncode == 0
    # The last of them are killed, which takes the kernel a moment.
    wait_for(lambda: not still_running(parts))


@pytest.mark.contract(
    "9 Commands", "a worker with one slot takes both queues; from two on one takes only small"
)
def test_one_slot_takes_both_queues_and_a_busy_worker_stops_as_soon_as_its_job_has_ended(
    api: Api, settings: Settings, asking: Celery, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    began = time.monotonic()
    with worker(settings, log=log) as process, held(api, "attempts") as release:
        assert queues_by_slots(asking, nodes=1) == {1: {"small", "large"}}
        start_seconds = time.monotonic() - began
        report = api.post(reports_path(), json={"quiz_report": {"report_type": "student_analysis"}}).json
        # The worker reads the attempts, and the lock lets it wait.
        wait_for(lambda: api.report(report["id"]).state is ReportState.RUNNING)
        process.terminate()
        wait_for(lambda: not asking.control.ping(timeout=0.2))
        assert process.poll() is None
        began = time.monotonic()
        release()
        assert process.wait(60) == 0
        stop_seconds = time.monotonic() - began
    assert api.report(report["id"]).state is ReportState.GENERATED
    # On a machine that is slow or busy, starting takes long as well.
    assert stop_seconds < max(STOP_SECONDS / 2, 2 * start_seconds)
    # It did not wait for the end of the time that it would have given the job.
    assert "jobs_given_back" not in log.read_text()
    assert_json(log)


@pytest.mark.endurance
def test_a_job_that_takes_longer_is_left_to_another_worker(
    api: Api, settings: Settings, asking: Celery, tmp_path: Path
) -> None:
    with worker(settings, log=tmp_path / "log") as process, held(api, "attempts") as release:
        queues_by_slots(asking, nodes=1)
        report = api.post(reports_path(), json={"quiz_report": {"report_type": "student_analysis"}}).json
        wait_for(lambda: api.report(report["id"]).state is ReportState.RUNNING)
        process.terminate()
        assert process.wait(STOP_SECONDS + 20) is not None
        release()
    assert api.report(report["id"]).state is ReportState.RUNNING
    assert "jobs_given_back" in (tmp_path / "log").read_text()
    assert_json(tmp_path / "log")


@contextmanager
def held(api: Api, table: str) -> Iterator[Callable[[], None]]:
    """Keep every reader of a table waiting, until the function that this gives is called."""
    with psycopg.connect(api.settings.database_url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield connection.rollback


def assert_json(log: Path) -> None:
    """Each line is an event with the process that wrote it."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines
    assert all({"event", "timestamp", "level", "node", "pid"} <= set(line) for line in lines)


def test_a_worker_that_cannot_start_says_so_with_its_status(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = tmp_path / "log"
    lost = replace(settings, storage_url=f"file://{tmp_path}/file/folder")
    with worker(lost, log=log) as process:
        assert process.wait(60) == 1
    assert "check STORAGE_URL" in log.read_text()


def test_the_heartbeat_goes_on_while_the_broker_is_absent(settings: Settings, tmp_path: Path) -> None:
    absent = replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    heartbeat = tmp_path / "alive-small-large"
    with worker(absent, "--heartbeat-file", str(tmp_path / "alive"), log=tmp_path / "log") as process:
        wait_for(heartbeat.exists)
        os.utime(heartbeat, (0, 0))
        wait_for(lambda: heartbeat.stat().st_mtime > 0)
    assert process.returncode == 0
    assert_json(tmp_path / "log")


def test_a_node_looks_for_ended_children_many_times_a_second() -> None:
    app = Celery("test", set_as_current=False)
    replace_ended_children(app)
    looked: list[None] = []
    pool = SimpleNamespace(maintain_pool=lambda: looked.append(None))
    node = SimpleNamespace(timer=Timer(), pool=pool)
    for step in app.steps["worker"]:
        step(node).start(node)
    waits: list[float] = []

    def look() -> bool:
        wait, entry = next(iter(node.timer))
        if entry:
            entry()
        else:
            waits.append(wait)
        return len(looked) == 3

    wait_for(look)
    assert 0 < max(waits) <= 0.1
