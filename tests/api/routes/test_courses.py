"""Contract, section 1: courses, quizzes, and what every response carries."""

from __future__ import annotations

import re

import pytest

from models.lms.quizzes import QuestionSet, QuestionVersion, Quiz, QuizType
from tests.factories import (
    ANONYMOUS_SURVEY_ID,
    COURSE_ID,
    QUIZ_ID,
    SURVEY_ID,
    Api,
    ApiResponse,
    add_quiz,
)

BASE = "http://quiz-reports.test"
COURSE = f"/api/v1/courses/{COURSE_ID}"


class TestCourse:
    @pytest.mark.contract("1 Routes", "a course and a quiz show their fields")
    def test_fields(self, api: Api) -> None:
        assert api.get(COURSE).json == {
            "id": COURSE_ID,
            "name": f"Course {COURSE_ID}",
            "course_code": "BIO101",
            "sis_course_id": "2026-BIO-101",
            "workflow_state": "available",
        }


class TestQuiz:
    @pytest.mark.contract("1 Routes", "a course and a quiz show their fields")
    def test_fields(self, api: Api) -> None:
        assert api.get(f"{COURSE}/quizzes/{QUIZ_ID}").json == {
            "id": QUIZ_ID,
            "title": "Cells",
            "quiz_type": "assignment",
            "points_possible": None,
            "question_count": 0,
            "published": False,
            "published_at": None,
            "anonymous_submissions": False,
            "scoring_policy": "keep_highest",
            "html_url": f"{BASE}/courses/{COURSE_ID}/quizzes/{QUIZ_ID}",
        }

    def test_counts_its_questions_and_no_mere_texts(self, api: Api) -> None:
        with api.database.transaction() as session:
            kinds = ["essay_question", "text_only_question", "multiple_choice_question"]
            versions = [
                QuestionVersion(
                    quiz_id=QUIZ_ID, question_id=n, digest=b"%d" % n, content={"question_type": kind}
                )
                for n, kind in enumerate(kinds)
            ]
            session.add_all(versions)
            session.flush()
            question_set = QuestionSet(
                quiz_id=QUIZ_ID, digest=b"", question_version_ids=[version.id for version in versions]
            )
            session.add(question_set)
            session.flush()
            session.get_one(Quiz, QUIZ_ID).question_set_id = question_set.id
        assert api.get(f"{COURSE}/quizzes/{QUIZ_ID}").json["question_count"] == 2
        assert [quiz["question_count"] for quiz in api.get(f"{COURSE}/quizzes").json] == [2, 0, 0]


class TestQuizzes:
    def test_lists_the_courses_own(self, api: Api) -> None:
        listed = api.get(f"{COURSE}/quizzes").json
        assert [quiz["id"] for quiz in listed] == [QUIZ_ID, SURVEY_ID, ANONYMOUS_SURVEY_ID]
        assert listed[0] == api.get(f"{COURSE}/quizzes/{QUIZ_ID}").json

    @pytest.fixture
    def many(self, api: Api) -> int:
        with api.database.transaction() as session:
            for number in range(120):
                add_quiz(session, 1000 + number, quiz_type=QuizType.PRACTICE)
        return 123

    def links(self, answer: ApiResponse) -> dict[str, str]:
        return {name: url for url, name in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["Link"])}

    @pytest.mark.usefixtures("many")
    @pytest.mark.parametrize(
        ("query", "count"), [("", 10), ("?per_page=50", 50), ("?per_page=1000", 100), ("?per_page=0", 10)]
    )
    @pytest.mark.contract("1 Routes", "a list of quizzes is paged: per_page, page, Link")
    def test_a_page_holds(self, api: Api, query: str, count: int) -> None:
        assert len(api.get(f"{COURSE}/quizzes{query}").json) == count

    @pytest.mark.contract("1 Routes", "a list of quizzes is paged: per_page, page, Link")
    def test_walking_the_links_meets_every_quiz_once(self, api: Api, many: int) -> None:
        url, seen = f"{BASE}{COURSE}/quizzes?per_page=25", []
        while url:
            answer = api.get(url.removeprefix(BASE))
            seen += [quiz["id"] for quiz in answer.json]
            url = self.links(answer).get("next", "")
            assert not url or url.startswith(BASE)
        assert len(seen) == len(set(seen)) == many

    @pytest.mark.usefixtures("many")
    @pytest.mark.contract("1 Routes", "a list of quizzes is paged: per_page, page, Link")
    def test_links_of_a_page_in_the_middle(self, api: Api) -> None:
        path = f"{COURSE}/quizzes?per_page=50&page=2&access_token={api.tokens['teacher']}"
        assert self.links(api.get(path, None)) == {
            name: f"{BASE}{COURSE}/quizzes?page={number}&per_page=50"
            for name, number in {"current": 2, "next": 3, "prev": 1, "first": 1, "last": 3}.items()
        }

    def test_a_page_beyond_the_end_is_empty(self, api: Api) -> None:
        answer = api.get(f"{COURSE}/quizzes?page=999999999")
        assert (answer.status_code, answer.json) == (200, [])
        assert "next" not in self.links(answer)
