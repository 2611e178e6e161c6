"""What clients read next to the reports: sections, questions and submissions."""

from __future__ import annotations

from typing import Any

import pytest

from models.lms.courses import Section
from tests import every_type
from tests.factories import (
    ANONYMOUS_SURVEY_ID,
    CALLERS,
    COURSE_ID,
    OTHER_QUIZ_ID,
    QUIZ_ID,
    SECTION_ID,
    Api,
)
from tests.lms import Lms
from tests.payloads import attempt

pytestmark = pytest.mark.contract(
    "1 Routes", "sections, questions and submissions: by right, paged, of this course alone"
)

COURSE = f"/api/v1/courses/{COURSE_ID}"
SECTIONS = f"{COURSE}/sections"
QUESTIONS = f"{COURSE}/quizzes/{QUIZ_ID}/questions"
SUBMISSIONS = f"{COURSE}/quizzes/{QUIZ_ID}/submissions"

STUDENT = CALLERS["student"][0]


@pytest.fixture
def lms(api: Api) -> Lms:
    pusher = Lms(api.database)
    pusher.patch_quiz(QUIZ_ID, COURSE_ID, questions=every_type.questions())
    return pusher


def pushed(number: int, submission_id: int = 501, **fields: Any) -> dict[str, Any]:
    return attempt(submission_id, number, user_id=STUDENT, submission_data=[], **fields)


def test_sections_show_sis_ids_to_teachers_and_not_to_assistants(api: Api) -> None:
    with api.database.transaction() as session:
        session.get_one(Section, SECTION_ID).sis_section_id = "BIO-A"

    shown = {"id": SECTION_ID, "name": "Section A", "course_id": COURSE_ID}
    assert api.get(SECTIONS).json == [{**shown, "sis_section_id": "BIO-A"}]
    assert api.get(SECTIONS, "ta").json == [shown]


def test_questions_are_shown_as_they_were_pushed(api: Api, lms: Lms) -> None:
    shown = api.get(f"{QUESTIONS}?per_page=100").json

    assert [question["id"] for question in shown] == list(range(1, 12))
    for question, original in zip(shown, every_type.questions(), strict=True):
        assert question["quiz_id"] == QUIZ_ID
        assert {name: question[name] for name in original if name not in {"answers", "matches"}} == {
            name: value for name, value in original.items() if name not in {"answers", "matches"}
        }
        for answer, its_original in zip(question["answers"], original.get("answers", []), strict=True):
            assert its_original.items() <= {"text": "", "weight": 0, **answer}.items()


@pytest.mark.parametrize(("page", "ids"), [(1, [1, 2, 3, 4]), (3, [9, 10, 11]), (4, [])])
def test_questions_are_paged(api: Api, lms: Lms, page: int, ids: list[int]) -> None:
    response = api.get(f"{QUESTIONS}?per_page=4&page={page}")

    assert [question["id"] for question in response.json] == ids
    assert f'<http://quiz-reports.test{QUESTIONS}?page=3&per_page=4>; rel="last"' in response.headers["Link"]


def test_a_submission_is_shown_once_with_its_latest_attempt(api: Api, lms: Lms) -> None:
    lms.put_attempts(
        pushed(1, score=1.0, kept_score=2.0),
        pushed(2, score=2.0, kept_score=2.0, finished_at="2026-09-10T09:30:00Z"),
        quiz_id=QUIZ_ID,
        course_id=COURSE_ID,
    )

    [shown] = api.get(SUBMISSIONS).json["quiz_submissions"]

    assert shown["started_at"]
    del shown["started_at"]
    assert shown == {
        "id": 501,
        "quiz_id": QUIZ_ID,
        "user_id": STUDENT,
        "attempt": 2,
        "workflow_state": "complete",
        "score": 2.0,
        "kept_score": 2.0,
        "finished_at": "2026-09-10T09:30:00Z",
    }


def test_submissions_are_paged(api: Api, lms: Lms) -> None:
    lms.put_attempts(
        *(pushed(number, submission_id) for submission_id in range(501, 506) for number in (1, 2)),
        quiz_id=QUIZ_ID,
        course_id=COURSE_ID,
    )

    response = api.get(f"{SUBMISSIONS}?per_page=2&page=2")

    assert [s["id"] for s in response.json["quiz_submissions"]] == [503, 504]
    assert (
        f'<http://quiz-reports.test{SUBMISSIONS}?page=3&per_page=2>; rel="last"' in response.headers["Link"]
    )


def test_an_anonymous_survey_shows_no_submissions(api: Api) -> None:
    path = f"{COURSE}/quizzes/{ANONYMOUS_SURVEY_ID}/submissions"

    assert api.get(path).status_code == 403
    assert api.get(path, "admin").status_code == 403


@pytest.mark.parametrize("path", [SECTIONS, QUESTIONS, SUBMISSIONS])
@pytest.mark.parametrize(
    ("caller", "status"),
    [("teacher", 200), ("ta", 200), ("admin", 200), ("student", 403), ("observer", 403), (None, 401)],
)
def test_only_those_who_may_read_statistics_see_them(
    api: Api, path: str, caller: str | None, status: int
) -> None:
    assert api.get(path, caller).status_code == status


@pytest.mark.parametrize("resource", ["questions", "submissions"])
@pytest.mark.parametrize("quiz_id", [OTHER_QUIZ_ID, 999, "x"])
def test_a_quiz_of_another_course_is_not_found(api: Api, resource: str, quiz_id: object) -> None:
    assert api.get(f"{COURSE}/quizzes/{quiz_id}/{resource}").status_code == 404
