"""Contract, section 1: what operators and balancers ask for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from tests.factories import (
    Api,
    reports_path,
)


@contextmanager
def at_revision(api: Api, revision: str | None) -> Iterator[None]:
    """Let the database be at another revision."""
    with api.database.engine.begin() as connection:
        applied = connection.execute(text("DELETE FROM alembic_version RETURNING version_num")).scalar_one()
        if revision is not None:
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
    try:
        yield
    finally:
        with api.database.engine.begin() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": applied})


class TestOperations:
    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_alive(self, api: Api) -> None:
        assert api.get("/healthz", None).json == {"status": "ok"}

    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_ready(self, api: Api) -> None:
        assert api.get("/readyz", None).json == {"status": "ready"}

    @pytest.mark.parametrize(
        ("revision", "status"),
        # Tables that a newer release has migrated, none of this release's, those of an unreleased version.
        [("ffffffffffff", 200), (None, 503), ("0001", 503)],
    )
    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_an_old_process_stays_ready_when_a_newer_release_has_migrated(
        self, api: Api, revision: str | None, status: int
    ) -> None:
        with at_revision(api, revision):
            response = api.get("/readyz", None)
        assert response.status_code == status
        assert status == 200 or f"is at migration {revision}" in response.json["reason"]

    def test_metrics_count_refused_pushes_by_their_kind(self, api: Api) -> None:
        api.call("PUT", "/api/v1/courses/101", "admin", json={"course": {"name": 7}})
        api.call("PUT", "/api/v1/courses/101", None, json={"course": {}})
        figures = api.get("/metrics", None).text
        for kind in ("invalid", "token"):
            assert re.search(rf'refused_pushes_total{{kind="{kind}",route="/api/v1/courses/[^"]*"}}', figures)

    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_metrics_count_requests_by_route_and_tell_how_long_jobs_wait(self, api: Api) -> None:
        api.generated()
        began = time.monotonic()
        api.post(reports_path(), json={"quiz_report": {"report_type": "item_analysis"}})
        response = api.get("/metrics", None)
        most_seconds = time.monotonic() - began
        assert response.status_code == 200
        assert response.mimetype == "text/plain"
        figures = response.text
        assert re.search(
            r'quiz_reports_requests_total\{method="POST",route="[^"]*/reports",status="200"\}', figures
        )
        assert 'quiz_reports_jobs{queue="small",state="queued"} 1.0' in figures
        (seconds,) = re.findall(
            r'^quiz_reports_oldest_job_seconds\{queue="small",state="queued"\} (\S+)$', figures, re.MULTILINE
        )
        assert 0 < float(seconds) <= most_seconds
        assert "quiz_reports_database_up 1.0" in figures
        assert "quiz_reports_request_seconds_bucket" in figures
