"""Contract, section 1: what operators and balancers ask for."""

from __future__ import annotations

import re

import pytest

from tests.factories import (
    Api,
    reports_path,
)


class TestOperations:
    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_alive(self, api: Api) -> None:
        assert api.get("/healthz", None).json == {"status": "ok"}

    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_ready(self, api: Api) -> None:
        assert api.get("/readyz", None).json == {"status": "ready"}

    @pytest.mark.contract("1 Routes", "healthz, readyz, metrics")
    def test_metrics_count_requests_by_route_and_tell_how_long_jobs_wait(self, api: Api) -> None:
        api.generated()
        api.post(reports_path(), json={"quiz_report": {"report_type": "item_analysis"}})
        response = api.get("/metrics", None)
        assert response.status_code == 200
        assert response.mimetype == "text/plain"
        figures = response.text
        assert re.search(
            r'quiz_reports_requests_total\{method="POST",route="[^"]*/reports",status="200"\}', figures
        )
        assert 'quiz_reports_jobs{queue="small",state="queued"} 1.0' in figures
        assert re.search(r'quiz_reports_oldest_job_seconds\{queue="small",state="queued"\} 0\.\d+', figures)
        assert "quiz_reports_database_up 1.0" in figures
        assert "quiz_reports_request_seconds_bucket" in figures
