"""A worker of several slots keeps one of them for small reports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery

from models.settings import Settings
from tests.waiting import wait_for


@contextmanager
def worker(settings: Settings, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ops.cli", "worker", *options],
        env={
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "STORAGE_URL": settings.storage_url,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
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
        inspect: Any = app.control.inspect(timeout=0.5)
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
def test_one_slot_takes_both_queues(module_settings: Settings, asking: Celery) -> None:
    with worker(module_settings) as process:
        assert queues_by_slots(asking, nodes=1) == {1: {"small", "large"}}
    assert process.returncode == 0


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
        wait_for(lambda: not first.is_running())
        assert queues_by_slots(asking, nodes=2) == expected

        parts = psutil.Process(process.pid).children(recursive=True)
    assert process.returncode == 0
    assert not [part for part in parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE]
