"""Contract, section 1: the reports of New Quizzes."""

from __future__ import annotations

import pytest

from tests.factories import (
    ASSIGNMENT_ID,
    COURSE_ID,
    QUIZ_ID,
    Api,
    reports_path,
)

BASE = "http://quiz-reports.test"
NEW_QUIZZES = f"/api/quiz/v1/courses/{COURSE_ID}/quizzes/{ASSIGNMENT_ID}/reports"
WISH = {"quiz_report": {"report_type": "item_analysis", "format": "csv"}}


class TestNewQuizzes:
    @pytest.mark.contract(
        "1 Routes", "the New Quizzes form answers with a Progress, whose results name the file"
    )
    def test_answers_with_the_progress(self, api: Api) -> None:
        response = api.post(
            NEW_QUIZZES, data={"quiz_report[report_type]": "item_analysis", "quiz_report[format]": "csv"}
        )
        assert response.status_code == 201
        assert (response.json["workflow_state"], response.json["context_type"]) == (
            "queued",
            "Quizzes::QuizStatistics",
        )
        body = response.json
        wrapped = body.pop("progress")
        assert wrapped == body == api.get(body["url"].removeprefix(BASE)).json

    def test_a_report_that_is_being_generated_is_a_409(self, api: Api) -> None:
        assert api.post(NEW_QUIZZES, json=WISH).status_code == 201
        assert api.post(NEW_QUIZZES, json=WISH).status_code == 409

    @pytest.mark.contract(
        "1 Routes", "the New Quizzes form answers with a Progress, whose results name the file"
    )
    def test_parameters_under_another_name_are_a_400(self, api: Api) -> None:
        params = {"type": "item_analysis", "report_type": "item_analysis", "format": "csv"}
        assert api.post(NEW_QUIZZES, json={"report": params}).status_code == 400

    @pytest.mark.contract(
        "1 Routes", "the New Quizzes form answers with a Progress, whose results name the file"
    )
    def test_its_results_name_the_file_once_completed(self, api: Api) -> None:
        progress = api.post(NEW_QUIZZES, json=WISH).json
        assert "results" not in progress
        api.finish(progress["context_id"])
        done = api.get(progress["url"].removeprefix(BASE)).json
        assert set(done["results"]) == {"url"}
        assert api.get(done["results"]["url"].removeprefix(BASE), None).status_code == 200

    def test_a_current_report_is_answered_with_its_completed_progress(self, api: Api) -> None:
        progress = api.post(NEW_QUIZZES, json=WISH).json
        api.finish(progress["context_id"])
        again = api.post(NEW_QUIZZES, json=WISH).json
        assert (again["id"], again["workflow_state"]) == (progress["id"], "completed")
        assert "url" in again["results"]

    def test_is_the_same_report_as_the_classic_form_asks_for(self, api: Api) -> None:
        progress = api.post(NEW_QUIZZES, json=WISH).json
        listed = api.get(reports_path()).json
        assert progress["context_id"] == listed[1]["id"]
        assert api.post(reports_path(), json=WISH).status_code == 409

    @pytest.mark.parametrize("other", ["xlsx", "CSV", "", None, 7, ["csv"], "new_quizzes_csv"])
    @pytest.mark.contract(
        "1 Routes", "the New Quizzes form answers with a Progress, whose results name the file"
    )
    def test_csv_and_json_only(self, api: Api, other: object) -> None:
        params = {"report_type": "item_analysis", "format": other}
        response = api.post(NEW_QUIZZES, json={"quiz_report": params})
        assert response.status_code == 400
        assert "csv or json" in response.json["message"]

    @pytest.mark.parametrize("params", [{"format": "csv"}, {"report_type": "x", "format": "csv"}])
    def test_an_unknown_type(self, api: Api, params: dict[str, str]) -> None:
        response = api.post(NEW_QUIZZES, json={"quiz_report": params})
        assert (response.status_code, response.json["message"]) == (400, "invalid quiz report type")

    @pytest.mark.parametrize("assignment_id", [str(QUIZ_ID), "999", "x"])
    def test_an_assignment_that_is_not_there(self, api: Api, assignment_id: str) -> None:
        path = f"/api/quiz/v1/courses/{COURSE_ID}/quizzes/{assignment_id}/reports"
        assert api.post(path, json=WISH).status_code == 404
