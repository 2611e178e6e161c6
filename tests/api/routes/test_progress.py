"""Contract, section 3: the Progress of a job."""

from __future__ import annotations

import re
from typing import Any

import pytest

from models.reports.jobs import heartbeat
from tests.factories import CALLERS, Api, reports_path

REPORTS = reports_path()
BASE = "http://quiz-reports.test"
FIELDS = {
    "id",
    "context_id",
    "context_type",
    "user_id",
    "tag",
    "completion",
    "workflow_state",
    "created_at",
    "updated_at",
    "message",
    "url",
}


def create(api: Api, caller: str = "teacher") -> dict[str, Any]:
    """Ask for a report; return it with the path of its Progress."""
    report = dict(api.post(f"{REPORTS}?quiz_report[report_type]=item_analysis", caller).json)
    return {**report, "progress": report["progress_url"].removeprefix(BASE)}


@pytest.mark.contract("3 Progress", "its fields, in each state")
def test_fields_of_a_queued_job(api: Api) -> None:
    report = create(api)
    progress = api.get(report["progress"]).json
    assert set(progress) == FIELDS
    assert progress["context_id"] == report["id"]
    assert progress["context_type"] == progress["tag"] == "Quizzes::QuizStatistics"
    assert progress["user_id"] == CALLERS["teacher"][0]
    assert (progress["workflow_state"], progress["completion"], progress["message"]) == ("queued", 0, None)
    assert progress["url"] == report["progress_url"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", progress["updated_at"])


@pytest.mark.contract("3 Progress", "its fields, in each state")
def test_a_running_job(api: Api) -> None:
    report = create(api)
    claimed = api.start(report["id"])
    with api.database.transaction() as session:
        heartbeat(session, claimed, 40.0, lease_seconds=60)
    progress = api.get(report["progress"]).json
    assert set(progress) == FIELDS
    assert (progress["workflow_state"], progress["completion"]) == ("running", 40)


@pytest.mark.contract("3 Progress", "its fields, in each state")
def test_a_completed_job_tells_where_the_file_is(api: Api) -> None:
    report = create(api)
    api.finish(report["id"])
    progress = api.get(report["progress"]).json
    assert set(progress) == {*FIELDS, "results"}
    assert (progress["workflow_state"], progress["completion"]) == ("completed", 100)
    assert api.client.get(progress["results"]["url"].removeprefix(BASE)).status_code == 200


@pytest.mark.contract("3 Progress", "a failure says why")
def test_a_failed_job_says_why(api: Api) -> None:
    report = create(api)
    api.fail(report["id"], "The store is full. Reference: report 1, job 1.")
    progress = api.get(report["progress"]).json
    assert progress["workflow_state"] == "failed"
    assert progress["message"] == "The store is full. Reference: report 1, job 1."
    assert "results" not in progress


@pytest.mark.contract("3 Progress", "plain JSON also where JSON-API is asked for")
def test_is_plain_json_also_where_json_api_is_asked_for(api: Api) -> None:
    response = api.get(create(api)["progress"], headers={"Accept": "application/vnd.api+json"})
    assert set(response.json) == FIELDS
    assert isinstance(response.json["id"], int)


def test_says_when_to_look_again_until_it_has_ended(api: Api) -> None:
    report = create(api)
    assert int(api.get(report["progress"]).headers["Retry-After"]) >= 1
    api.finish(report["id"])
    assert "Retry-After" not in api.get(report["progress"]).headers


@pytest.mark.contract("2 Show", "ETag and If-None-Match")
def test_does_not_read_what_it_has_again(api: Api) -> None:
    report = create(api)
    etag = api.get(report["progress"]).headers["ETag"]
    assert api.get(report["progress"], headers={"If-None-Match": etag}).status_code == 304
    api.start(report["id"])
    assert api.get(report["progress"], headers={"If-None-Match": etag}).status_code == 200


class TestCancel:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"data": {"message": "changed my mind"}}, "changed my mind"),
            ({"json": {"message": "changed my mind"}}, "changed my mind"),
            ({"query_string": {"message": "späť 🙂"}}, "späť 🙂"),
            ({}, None),
        ],
    )
    @pytest.mark.contract("3 Progress", "cancel: while queued, shown as it ended, then gone")
    def test_shows_the_progress_as_it_ended(
        self, api: Api, options: dict[str, Any], message: str | None
    ) -> None:
        report = create(api)
        response = api.post(f"{report['progress']}/cancel", **options)
        assert response.status_code == 200
        assert set(response.json) == FIELDS
        assert (response.json["workflow_state"], response.json["message"]) == ("failed", message)

    @pytest.mark.contract("3 Progress", "cancel: while queued, shown as it ended, then gone")
    def test_it_is_gone_afterwards_and_the_report_starts_afresh(self, api: Api) -> None:
        report = create(api)
        api.post(f"{report['progress']}/cancel")
        assert api.get(report["progress"]).status_code == 404
        assert api.post(f"{report['progress']}/cancel").status_code == 404
        assert "progress_url" not in api.get(f"{REPORTS}/{report['id']}").json
        assert create(api)["id"] == report["id"]

    @pytest.mark.parametrize("state", ["running", "failed", "completed"])
    @pytest.mark.contract("3 Progress", "cancel: else 409; its owner or an administrator only")
    def test_only_a_queued_job_can_be_cancelled(self, api: Api, state: str) -> None:
        report = create(api)
        if state == "running":
            api.start(report["id"])
        elif state == "failed":
            api.fail(report["id"], "no disk")
        else:
            api.finish(report["id"])
        response = api.post(f"{report['progress']}/cancel")
        assert (response.status_code, response.json["status"]) == (409, "conflict")
        assert response.json["errors"] == [{"message": response.json["message"]}]
        assert api.get(report["progress"]).json["workflow_state"] == state

    @pytest.mark.parametrize(
        ("caller", "status"), [("teacher", 200), ("admin", 200), ("second_teacher", 403), ("ta", 403)]
    )
    @pytest.mark.contract("3 Progress", "cancel: else 409; its owner or an administrator only")
    def test_its_owner_or_an_administrator_only(self, api: Api, caller: str, status: int) -> None:
        assert api.post(f"{create(api)['progress']}/cancel", caller).status_code == status

    def test_a_message_must_be_a_text(self, api: Api) -> None:
        report = create(api)
        assert api.post(f"{report['progress']}/cancel", json={"message": [1]}).status_code == 400
        assert api.get(report["progress"]).json["workflow_state"] == "queued"
