"""Contract, section 2, "Becoming anonymous": no file names people once a survey is anonymous."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.errors import LeaseLostError
from models.reports.jobs import claim
from tests.lms import COURSES, QUIZZES, ApiLms, make_api_lms
from tests.payloads import attempt
from tests.races import ROUNDS, together
from workers.generation import finish, generate, write_file
from workers.resources import Resources

COURSE_ID, QUIZ_ID = COURSES[0], QUIZZES[0]
REPORTS = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/reports"
NAME = "Student 7"
SURVEY: dict[str, Any] = {"quiz_type": "survey", "anonymous_submissions": False}
ANONYMOUS: dict[str, Any] = {"quiz_type": "survey", "anonymous_submissions": True}
ASSIGNMENT: dict[str, Any] = {"quiz_type": "assignment"}


@dataclass(frozen=True)
class School:
    """An LMS, an administrator who asks for reports, and a worker."""

    lms: ApiLms
    resources: Resources

    @property
    def client(self) -> FlaskClient:
        return self.lms.app.test_client()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.lms.token}"}

    def get(self, url: str) -> TestResponse:
        return self.client.get(url, headers=self.headers)

    def ask(self, report_type: str = "student_analysis") -> TestResponse:
        params = {"quiz_report": {"report_type": report_type}}
        return self.client.post(REPORTS, json=params, headers=self.headers)

    def work(self, report: dict[str, Any]) -> None:
        generate(self.resources, report["id"], _progress_id(report))

    def generated(self, report_type: str = "student_analysis") -> dict[str, Any]:
        report = self.ask(report_type).get_json()
        self.work(report)
        return dict(self.get(report["url"]).get_json())

    def keys(self) -> list[str]:
        return [stored.key for batch in self.resources.store.list("reports") for stored in batch]


def _progress_id(report: dict[str, Any]) -> int:
    return int(report["progress_url"].rsplit("/", 1)[1])


@pytest.fixture
def school(app: Flask, resources: Resources) -> School:
    lms = make_api_lms(app)
    lms.set_up()
    lms.put_quiz(0, **SURVEY)
    assert lms.put_attempts(0, [attempt(501)]).status_code == 200
    return School(lms, resources)


@pytest.mark.contract("2 Becoming anonymous", "files that name people are withdrawn with the same push")
def test_files_that_name_people_are_withdrawn(school: School) -> None:
    report = school.generated()
    file = report["file"]
    assert NAME in school.client.get(file["url"]).text

    assert school.lms.put_quiz(0, **ANONYMOUS).status_code == 200

    assert school.keys() == []
    assert school.client.get(file["url"]).status_code in {401, 404}
    for url in (file["url"], f"/api/v1/files/{file['id']}", report["progress_url"]):
        assert school.get(url).status_code == 404
    shown = school.get(report["url"]).get_json()
    assert "file" not in shown
    assert "progress_url" not in shown


@pytest.mark.contract("2 Becoming anonymous", "item analyses of what has become a survey are withdrawn")
def test_an_item_analysis_of_what_has_become_a_survey_is_withdrawn(school: School) -> None:
    school.lms.put_quiz(0, **ASSIGNMENT)
    made, named = school.generated("item_analysis"), school.generated()
    school.lms.put_quiz(0, **SURVEY)

    assert school.get(made["file"]["url"]).status_code == 404
    assert school.get(named["file"]["url"]).status_code == 200


@pytest.mark.contract("2 Becoming anonymous", "jobs that would name people fail with that reason")
def test_a_job_that_was_queued_before_makes_no_file(school: School) -> None:
    report = school.ask().get_json()
    school.lms.put_quiz(0, **ANONYMOUS)
    school.work(report)

    progress = school.get(report["progress_url"]).get_json()
    assert progress["workflow_state"] == "failed"
    assert "anonymous" in progress["message"]
    assert "file" not in school.get(report["url"]).get_json()
    assert school.keys() == []


def test_a_worker_that_is_about_to_finish_finds_its_job_lost(school: School) -> None:
    report = school.ask().get_json()
    with school.resources.database.transaction() as session:
        claimed = claim(session, report["id"], _progress_id(report), lease_seconds=60.0, max_tries=3)
    assert claimed is not None
    snapshot, file = write_file(school.resources, claimed)
    school.lms.put_quiz(0, **ANONYMOUS)

    with pytest.raises(LeaseLostError):
        finish(school.resources, claimed, snapshot, file)
    assert school.get(report["progress_url"]).get_json()["workflow_state"] == "failed"


def test_going_back_restores_nothing(school: School) -> None:
    report = school.generated()
    school.lms.put_quiz(0, **ANONYMOUS)
    school.lms.put_quiz(0, **SURVEY)

    assert school.get(report["file"]["url"]).status_code == 404
    assert NAME in school.client.get(school.generated()["file"]["url"]).text


def test_a_nameless_file_stays(school: School) -> None:
    school.lms.put_quiz(0, **ANONYMOUS)
    report = school.generated()
    school.lms.put_quiz(0, **ANONYMOUS, title="Renamed")

    assert school.client.get(report["file"]["url"]).status_code == 200


@pytest.mark.parametrize("asks", ["before", "at once"])
@pytest.mark.contract("2 Becoming anonymous", "of the push and a job that race, the push wins")
def test_no_named_file_is_made_beside_the_push(school: School, asks: str) -> None:
    def make() -> None:
        report = asked or school.ask().get_json()
        school.work(report)

    for _ in range(ROUNDS):
        school.lms.put_quiz(0, **SURVEY)
        asked = school.ask().get_json() if asks == "before" else None
        together(make, lambda: school.lms.put_quiz(0, **ANONYMOUS))

        states = school.lms.rows("SELECT state FROM quiz_reports WHERE NOT anonymous")
        assert {state for (state,) in states} <= {"idle", "failed"}
        named = school.lms.rows(
            "SELECT FROM files JOIN quiz_reports ON file_id = files.id WHERE NOT anonymous"
        )
        assert named == []
        files = {key for (key,) in school.lms.rows("SELECT storage_key FROM files")}
        assert set(school.keys()) == files


def test_no_item_analysis_is_made_beside_the_push(school: School) -> None:
    def make() -> None:
        response = school.ask("item_analysis")
        if response.status_code == 200:
            school.work(response.get_json())
        else:
            assert response.status_code == 400

    for _ in range(ROUNDS):
        school.lms.put_quiz(0, **ASSIGNMENT)
        together(make, partial(school.lms.put_quiz, 0, **SURVEY))

        states = school.lms.rows("SELECT state FROM quiz_reports WHERE report_type = 'item_analysis'")
        assert {state for (state,) in states} <= {"idle", "failed"}
        assert school.keys() == []
