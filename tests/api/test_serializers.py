"""Rows as JSON: values that no route's test pins down."""

from __future__ import annotations

import datetime

import pytest

from api.links import Links
from api.serializers import cancelled_progress_json, course_json, progress_json, quiz_json, utc
from api.verifiers import Verifiers
from models.lms.courses import Course
from models.lms.quizzes import Quiz, QuizType, ScoringPolicy
from models.reports.tables import Progress, QuizReport, ReportState

LINKS = Links("https://reports.example.edu", Verifiers("a secret that only the tests share"))
NOON = datetime.datetime(2026, 9, 10, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("hours", "microsecond", "expected"),
    [
        (0, 0, "2026-01-01T00:30:00Z"),
        # A fraction of a second is cut off, not rounded.
        (0, 999_999, "2026-01-01T00:30:00Z"),
        (5.5, 0, "2025-12-31T19:00:00Z"),
        (-8, 0, "2026-01-01T08:30:00Z"),
    ],
)
def test_times_are_written_in_utc_to_the_second(hours: float, microsecond: int, expected: str) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=hours))

    assert utc(datetime.datetime(2026, 1, 1, 0, 30, 0, microsecond, zone)) == expected


def test_a_sis_id_that_is_hidden_has_no_key() -> None:
    course = Course(id=101, name="Biology", course_code=None, sis_course_id="2026-BIO-101")
    shown = {"id": 101, "name": "Biology", "course_code": None, "workflow_state": "available"}

    assert course_json(course, sees_sis_ids=False) == shown
    assert course_json(course, sees_sis_ids=True) == {**shown, "sis_course_id": "2026-BIO-101"}


@pytest.mark.parametrize(
    ("published_at", "expected"), [(None, (False, None)), (NOON, (True, "2026-09-10T12:00:00Z"))]
)
def test_a_quiz_is_published_when_it_has_a_date(
    published_at: datetime.datetime | None, expected: tuple[bool, str | None]
) -> None:
    quiz = Quiz(
        id=201,
        course_id=101,
        title="Cells",
        quiz_type=QuizType.GRADED_SURVEY,
        scoring_policy=ScoringPolicy.AVERAGE,
        published_at=published_at,
        points_possible=None,
        anonymous_submissions=True,
    )

    assert quiz_json(quiz, 3, LINKS) == {
        "id": 201,
        "title": "Cells",
        "quiz_type": "graded_survey",
        "points_possible": None,
        "question_count": 3,
        "published": expected[0],
        "published_at": expected[1],
        "anonymous_submissions": True,
        "scoring_policy": "keep_average",
        "html_url": "https://reports.example.edu/courses/101/quizzes/201",
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ReportState.QUEUED, "queued"),
        (ReportState.RUNNING, "running"),
        (ReportState.FAILED, "failed"),
        (ReportState.GENERATED, "completed"),
    ],
)
def test_a_progress_shows_the_state_of_its_report(state: ReportState, expected: str) -> None:
    progress = Progress(id=7, user_id=9, completion=40.0, message=None, created_at=NOON, updated_at=NOON)
    report = QuizReport(id=5, state=state)

    assert progress_json(report, progress, LINKS) == {
        "id": 7,
        "context_id": 5,
        "context_type": "Quizzes::QuizStatistics",
        "user_id": 9,
        "tag": "Quizzes::QuizStatistics",
        "completion": 40.0,
        "workflow_state": expected,
        "created_at": "2026-09-10T12:00:00Z",
        "updated_at": "2026-09-10T12:00:00Z",
        "message": None,
        "url": "https://reports.example.edu/api/v1/progress/7",
    }
    # A cancelled one ended as failed, whatever the report does since.
    assert cancelled_progress_json(report, progress, LINKS)["workflow_state"] == "failed"
