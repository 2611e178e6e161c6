"""The quiz that the reports belong to."""

from __future__ import annotations

import pytest

from models.db.session import Database
from models.lms.courses import Course
from models.lms.quizzes import Quiz, QuizType, ScoringPolicy
from tests.models.reports.report_life import COURSE_ID, QUIZ_ID


@pytest.fixture
def quiz(database: Database) -> None:
    with database.transaction() as session:
        session.add(Course(id=COURSE_ID, name="Biology", roster_revision=1))
        session.flush()
        session.add(
            Quiz(
                id=QUIZ_ID,
                course_id=COURSE_ID,
                title="Cells",
                quiz_type=QuizType.ASSIGNMENT,
                scoring_policy=ScoringPolicy.HIGHEST,
                revision=1,
            )
        )
