"""Contract, section 2: many at once, and a broker that is away, harm nobody."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Semaphore

import pytest
import redis
from sqlalchemy import func, select

from api.app import create_app
from api.services import Services
from models.publisher import PUBLISH_TIMEOUTS
from models.reports.tables import Progress, QuizReport, ReportState
from ops.local.embedded import EmbeddedValkey
from tests.factories import Api, reports_path

REPORTS = reports_path()
WISH = {"quiz_report": {"report_type": "student_analysis"}}


def rows(api: Api) -> tuple[int, int]:
    """Count the reports and the jobs."""
    with api.database.transaction() as session:
        reports, jobs = (
            session.scalar(select(func.count()).select_from(table)) for table in (QuizReport, Progress)
        )
    return reports or 0, jobs or 0


@pytest.mark.contract("2 Create", "of a hundred at once one is taken: one row, one job, no 5xx")
def test_of_a_hundred_requests_at_once_one_is_taken(api: Api) -> None:
    start = Barrier(100)
    # A process has 16 threads by default, and the other requests wait for one of them.
    server_threads = Semaphore(16)

    def ask(_: int) -> int:
        start.wait()
        with server_threads:
            return api.post(REPORTS, json=WISH).status_code

    with ThreadPoolExecutor(100) as threads:
        responses = Counter(threads.map(ask, range(100)))
    assert responses == {200: 1, 409: 99}
    assert rows(api) == (1, 1)


def test_listing_at_once_makes_each_report_once(api: Api) -> None:
    # As many as a process has by default.
    with ThreadPoolExecutor(16) as threads:
        lists = list(threads.map(lambda _: [report["id"] for report in api.get(REPORTS).json], range(40)))
    assert all(listed == lists[0] for listed in lists)
    assert rows(api) == (2, 0)


@pytest.mark.contract("2 Abort", "of an abort and a start exactly one wins")
def test_of_an_abort_and_a_start_that_race_one_wins(api: Api) -> None:
    for _ in range(20):
        report_id = api.post(REPORTS, json=WISH).json["id"]
        start = Barrier(2)

        def begin(report_id: int = report_id, start: Barrier = start) -> bool:
            start.wait()
            try:
                api.start(report_id)
            except AssertionError:
                return False
            return True

        def abort(report_id: int = report_id, start: Barrier = start) -> int:
            start.wait()
            return api.delete(f"{REPORTS}/{report_id}").status_code

        with ThreadPoolExecutor(2) as threads:
            started, aborted = threads.submit(begin), threads.submit(abort)
        assert (started.result(), aborted.result()) in {(True, 422), (False, 204)}
        if started.result():
            with api.database.transaction() as session:
                report = session.get_one(QuizReport, report_id)
                report.state, report.claim_token, report.lease_until = ReportState.FAILED, None, None


class TestHint:
    def test_a_job_is_announced_to_the_workers(self, api: Api, redis_url: str) -> None:
        report = api.post(REPORTS, json=WISH).json
        with redis.Redis.from_url(redis_url) as broker:
            (message,) = [json.loads(raw) for raw in broker.lrange("small", 0, -1)]
        assert message["headers"]["task"] == "quiz_reports.generate_report"
        assert message["headers"]["id"] == f"progress-{report['progress_url'].rsplit('/', 1)[1]}-1"

    def test_what_makes_no_job_is_not_announced(self, api: Api, redis_url: str) -> None:
        api.generated()
        with redis.Redis.from_url(redis_url) as broker:
            broker.flushdb()
            assert api.post(REPORTS, json=WISH).status_code == 200
            api.post(REPORTS, json={"quiz_report": {"report_type": "nonsense"}})
            assert broker.keys() == []


class TestBroker:
    @pytest.fixture
    def valkey(self, tmp_path: Path) -> Iterator[EmbeddedValkey]:
        with EmbeddedValkey(tmp_path / "valkey", durable=False) as server:
            yield server

    @pytest.fixture
    def api(
        self,
        api: Api,
        valkey: EmbeddedValkey,
        seconds_to_publish: dict[str, float],
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[Api]:
        for name, seconds in seconds_to_publish.items():
            monkeypatch.setitem(PUBLISH_TIMEOUTS, name, seconds)
        settings = replace(api.settings, redis_url=valkey.url)
        app = create_app(settings)
        api = replace(api, app=app, settings=settings)
        # The first request connects to the database and describes its tables to SQLAlchemy.
        assert api.get(REPORTS).status_code == 200
        yield api
        Services.of(app).close()

    def answers_in_time(self, api: Api, usual_seconds: float) -> None:
        """Compare with the time that the same requests take beside a broker that responds."""
        # Half a second for each message that the broker does not take, and as much again for the machine, or
        # more if it is slow. It may hold up one pair of requests, but not each of five.
        assert any(self.seconds_of_a_job(api) < 2 + 5 * max(usual_seconds, 0.1) for _ in range(5))

    @staticmethod
    def seconds_of_a_job(api: Api) -> float:
        """Request a report and abort it; return the seconds that both took."""
        began = time.monotonic()
        created = api.post(REPORTS, json=WISH)
        aborted = api.delete(f"{REPORTS}/{created.json['id']}")
        seconds = time.monotonic() - began
        assert (created.status_code, aborted.status_code) == (200, 204)
        assert api.report(created.json["id"]).state is ReportState.IDLE
        return seconds

    def test_one_that_is_away(self, api: Api, valkey: EmbeddedValkey) -> None:
        usual = self.seconds_of_a_job(api)
        valkey.stop()
        self.answers_in_time(api, usual)

    def test_one_that_is_frozen(self, api: Api, valkey: EmbeddedValkey) -> None:
        usual = self.seconds_of_a_job(api)
        assert valkey.pid is not None
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            self.answers_in_time(api, usual)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)

    def test_one_that_is_full(self, api: Api, valkey: EmbeddedValkey) -> None:
        usual = self.seconds_of_a_job(api)
        with redis.Redis.from_url(valkey.url) as broker:
            broker.config_set("maxmemory", "1")
        self.answers_in_time(api, usual)

    def test_one_that_comes_back_is_used_again(self, api: Api, valkey: EmbeddedValkey) -> None:
        usual = self.seconds_of_a_job(api)
        valkey.stop()
        self.answers_in_time(api, usual)
        valkey.start()
        api.post(REPORTS, json=WISH)
        with redis.Redis.from_url(valkey.url) as broker:
            assert broker.llen("small") == 1
