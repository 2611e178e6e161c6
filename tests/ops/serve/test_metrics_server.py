"""What Prometheus reads from a worker, over the lives of its children, and from a sweeper."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from models.settings import Settings
from ops.local.ports import free_port
from tests.factories import QUIZ_ID, SURVEY_ID, Api, reports_path
from tests.plain_http import PLAIN_HTTP
from tests.waiting import wait_for

MADE = 'quiz_reports_reports_total{format="csv",outcome="generated",type="student_analysis"}'


class Observed:
    """A process that shows metrics."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def metrics(self) -> dict[str, float]:
        """Read all samples, by their names with labels; none while it does not listen yet."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", **PLAIN_HTTP, timeout=60).text
        except httpx.TransportError:
            return {}
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


def environment(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "STORAGE_URL": settings.storage_url,
    }


@contextmanager
def observed(settings: Settings, *command: str) -> Iterator[Observed]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ops.cli", *command, "--metrics-port", str(port)],
        env={**environment(settings), "QUIZ_REPORTS_SWEEP_SECONDS": "0.2"},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Observed(process, port)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def request(api: Api, quiz_id: int) -> None:
    wanted = {"quiz_report": {"report_type": "student_analysis"}}
    assert api.post(reports_path(quiz_id), json=wanted).status_code == 200


def test_a_worker_counts_reports_on_when_a_child_is_replaced(api: Api, settings: Settings) -> None:
    with observed(settings, "worker") as worker:
        request(api, QUIZ_ID)
        wait_for(lambda: worker.metrics().get(MADE) == 1)
        [node] = psutil.Process(worker.process.pid).children()
        [child] = node.children()
        child.kill()
        wait_for(lambda: node.children() and node.children() != [child])
        request(api, SURVEY_ID)
        wait_for(lambda: worker.metrics().get(MADE) == 2)
        metrics = worker.metrics()
    steps = {
        step: metrics[f'quiz_reports_step_seconds_count{{step="{step}"}}'] for step in ("claim", "finish")
    }
    assert steps == {"claim": 2, "finish": 2}
    # The school has no attempts.
    assert metrics["quiz_reports_rows_read_total"] == 0
    assert metrics["quiz_reports_leases_expired_total"] == 0


def test_a_sweeper_shows_the_waiting_jobs_and_its_own_turns(api: Api, settings: Settings) -> None:
    request(api, QUIZ_ID)
    with observed(settings, "sweeper") as sweeper:
        wait_for(lambda: sweeper.metrics().get('quiz_reports_sweeps_total{outcome="ok"}', 0) > 0)
        metrics = sweeper.metrics()
    assert metrics['quiz_reports_jobs{queue="small",state="queued"}'] == 1
    assert metrics['quiz_reports_jobs{queue="large",state="queued"}'] == 0
    assert metrics['quiz_reports_oldest_job_seconds{queue="small",state="queued"}'] > 0
    assert metrics['quiz_reports_messages{queue="small"}'] >= 1
    assert metrics["quiz_reports_last_sweep_timestamp_seconds"] > 0
    assert metrics["quiz_reports_orphans"] == 0


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "ops.cli", "sweeper", "--metrics-port", port],
            env=environment(settings),
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ended.returncode, f"port {port}" in ended.stderr) == (1, True)
